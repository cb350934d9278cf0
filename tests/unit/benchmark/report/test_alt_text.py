"""Text alternatives say all that there is room for."""

from benchmark.report.alt_text import LONGEST, alt_text


def test_a_few_rows_are_all_said() -> None:
    assert alt_text("Bars, time per call", ["one 50.0 ms", "two 97.2 ms"]) == (
        "Bars, time per call: one 50.0 ms; two 97.2 ms."
    )


def test_of_many_rows_the_first_are_said_and_where_the_others_are() -> None:
    text = alt_text("Bars", [f"contender-{i} 50.0 ms" for i in range(100)])
    assert len(text) <= LONGEST
    assert text.startswith("Bars: contender-0 50.0 ms; contender-1 50.0 ms; ")
    assert text.endswith("; the table has the others.")
