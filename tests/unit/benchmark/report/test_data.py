"""The data of a chart, as CSV."""

from benchmark.report.charts.bars import Bar, BarPart, Point
from benchmark.report.charts.data import lines_csv, rows_csv
from benchmark.report.charts.lines import Line
from benchmark.report.charts.palette import Style
from benchmark.report.charts.picture import Picture

BLUE = Style("#0072b2", "o")


def test_a_line_is_a_row_for_each_point() -> None:
    line = Line("a, b", [1, 8], [10.0, 1234567.0], BLUE, [9.0, 1.0], [11.0, 2e6], [False, True])
    assert lines_csv("users", {"rate [requests/s]": [line]}).splitlines() == [
        "figure,name,users,value,low,high,state",
        'rate [requests/s],"a, b",1,10,9,11,',
        'rate [requests/s],"a, b",8,1.23457e+06,1,2e+06,INVALID',
    ]


def test_a_line_without_intervals_has_none_in_its_data() -> None:
    assert lines_csv("n", {"ms": [Line("a", [1.0], [2.0], BLUE)]}).splitlines()[1] == "ms,a,1,2,,,"


def test_a_bar_is_a_row_with_its_parts_by_name() -> None:
    parts = [BarPart(46.7, name="floor"), BarPart(3.0, name="on top")]
    rows = [Bar("a", "49.7 ms", parts=parts, interval=(48.0, 51.0)), Bar("b", "not measured")]
    assert rows_csv("ms", rows).splitlines() == [
        "name,floor [ms],on top [ms],low,high,label,state",
        "a,46.7,3,48,51,49.7 ms,",
        "b,,,,,not measured,",
    ]


def test_a_point_is_a_row_with_its_value() -> None:
    rows = [Point("a", "100 rps", True, value=100.0, style=BLUE, interval=(90.0, 110.0))]
    assert rows_csv("requests/s", rows).splitlines()[1] == "a,100,90,110,100 rps,INVALID"


def test_a_picture_gives_its_data_as_a_table() -> None:
    picture = Picture("key", "", "", "", lambda _: "", data='a,b\n"1, 2",3\n')
    assert picture.rows == [["a", "b"], ["1, 2", "3"]]
    assert Picture("key", "", "", "", lambda _: "").rows == []
