from collections import Counter
from pathlib import Path

import pytest

from benchmark.errors import ShapeError
from benchmark.load.arrivals import read_bodies
from benchmark.load.rates import parse_shape
from benchmark.load.replayed_log import read_log

_COMBINED = '10.0.0.1 - - [28/Nov/2026:12:00:{:02d} +0000] "POST /score HTTP/1.1" 200 17 "-" "curl/8"\n'


def _write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("log.csv", "id,time\n1,100.5\n2,100.75\n3,102.0\n"),
        ("log.csv", "timestamp\n2026-11-28T12:00:00.500Z\n2026-11-28T12:00:00.750Z\n2026-11-28T12:00:02Z\n"),
        ("log.jsonl", '{"ts": 100.5}\n\n{"ts": 100.75}\n{"ts": 102}\n'),
        ("log.jsonl", '{"time": 102.0}\n{"time": 100.5}\n{"time": 100.75}\n'),
        ("log.csv", "\ufeffId,Time\n1,1764331200500\n2,1764331200750\n3,1764331202000\n"),  # ms, as Excel writes it
        ("log.jsonl", "".join(f'{{"msec": "{t}"}}\n' for t in (100.5, 100.75, 102.0))),  # as nginx writes JSON
    ],
)
def test_times_count_from_the_first_request(tmp_path: Path, name: str, text: str) -> None:
    assert read_log(_write(tmp_path, name, text)).at_s == pytest.approx((0.0, 0.25, 1.5))


def test_requests_of_a_log_in_whole_seconds_are_spread_over_them(tmp_path: Path) -> None:
    path = _write(tmp_path, "access.log", "".join(_COMBINED.format(second) for second in (1, 1, 1, 1, 2, 4)))
    assert read_log(path).at_s == (0.0, 0.25, 0.5, 0.75, 1.0, 3.0)


def test_a_replay_keeps_count_and_order_exactly(tmp_path: Path) -> None:
    path = _write(tmp_path, "log.csv", "time\n" + "".join(f"{t}\n" for t in (5.25, 5.5, 5.5, 7.0, 9.125)))
    shape = parse_shape(f"replay {path} at 2x")
    assert shape.arrivals_s(seed=1) == [0.0, 0.125, 0.125, 0.875, 1.9375]
    assert shape.arrivals_s(seed=2) == shape.arrivals_s(seed=1)


def test_each_body_goes_with_the_time_of_its_own_request(tmp_path: Path) -> None:
    """The lines of a log are in the order of the answers, not of the requests."""
    lines = [(2.0, '"c"'), (0.0, '"[5.1,3.5]"'), (1.0, "[1, 2]"), (1.0, "null")]
    text = "".join(f'{{"t": {t_s}, "body": {body}}}\n' for t_s, body in lines)
    shape = parse_shape(f"100 for 1s, replay {_write(tmp_path, 'log.jsonl', text)} with bodies at 2x")
    (logged,) = shape.logged_bodies(seed=3)
    due_s = shape.arrivals_s(seed=3)[logged.first :]
    assert [t_s - 1 for t_s in due_s] == [0.0, 0.5, 0.75, 1.0]  # the two of the same second are spread over it
    assert read_bodies([logged]) == {
        logged.first + k: body for k, body in enumerate([b"[5.1,3.5]", b"[1, 2]", None, b"c"])
    }


def test_bodies_stand_in_a_column_of_csv(tmp_path: Path) -> None:
    path = _write(tmp_path, "log.csv", 'time,request_body\n1.5,"[1,2]"\n1.75,"{""x"": ""a\nb""}"\n')
    assert read_log(path, with_bodies=True).bodies == ("[1,2]", '{"x": "a\nb"}')


def test_a_log_that_has_grown_meanwhile_is_not_replayed(tmp_path: Path) -> None:
    path = _write(tmp_path, "log.csv", "time,body\n1,a\n2,b\n")
    logged = parse_shape(f"replay {path} with bodies").logged_bodies(seed=1)
    path.write_text("time,body\n1,a\n2,b\n3,c\n")
    with pytest.raises(ShapeError, match="held 2 requests, and now it holds 3"):
        read_bodies(logged)


def test_after_a_replay_other_steps_follow(tmp_path: Path) -> None:
    path = _write(tmp_path, "log.csv", "time\n0.0\n1.5\n2.0\n")
    times = parse_shape(f"replay {path}, 100 for 2s").arrivals_s(seed=1)
    assert times[:3] == [0.0, 1.5, 2.0]
    assert Counter(t_s > 2 for t_s in times[3:]).keys() == {True}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("log.csv", "id,path\n1,/\n", "the header of .* is id, path"),
        ("log.csv", "", "is nothing"),
        ("log.csv", "time\nsoon\nlater\n", "line 2 of .* has the time 'soon'"),
        ("log.csv", "time\n1.0\n", "holds 1 requests"),
        ("log.jsonl", '{"path": "/"}\n', "line 1 of .* has no time"),
        ("log.jsonl", "nonsense\n", "is no JSON"),
        ("access.log", "GET / 200\n", "holds no time such as"),
    ],
)
def test_a_log_without_times_is_refused_with_a_sentence(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(ShapeError, match=said):
        read_log(_write(tmp_path, name, text))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("log.csv", "time,path\n1,/\n2,/\n", "the header of .* is time, path, expected one of the columns body"),
        ("log.jsonl", '{"t": 1, "body": "a"}\n{"t": 2}\n', "line 2 of .* has no body"),
        ("access.log", _COMBINED.format(1) * 2, "holds no bodies"),
    ],
)
def test_a_log_without_bodies_sends_none(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(ShapeError, match=said):
        parse_shape(f"replay {_write(tmp_path, name, text)} with bodies")


def test_a_log_is_not_replayed_backwards(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="expected a number above 0"):
        read_log(_write(tmp_path, "log.csv", "time\n1\n2\n"), speed=0)
