"""Many items in one request: rates, the rows that the model sees, and every answer in its place."""

from collections.abc import Iterator
from typing import Final

from benchmark.experiments.strategies.figure_kinds import FAILURES, ITEMS, MEDIAN, per, said
from benchmark.experiments.strategies.law import (
    Computation,
    Gain,
    Law,
    Seen,
    Strategy,
    at_most,
    exactly,
    from_floor,
    within,
)
from benchmark.load.plan import Level, Waves
from strategies.batch_endpoint.parameters import cost_ms, rate_of_rows

SINGLE, WHOLE, DISTINCT = "batch-endpoint-single", "batch-endpoint-whole", "batch-endpoint-distinct"
THOUSAND, FAULTY, NAIVE = "batch-endpoint-thousand", "batch-endpoint-faulty", "batch-endpoint-naive"
POSITIONS, VECTORISED = "positions", "vectorised"

ROWS: Final = {SINGLE: 1, WHOLE: 100, DISTINCT: 100, THOUSAND: 1_000, FAULTY: 100}
MODELLED: Final = {SINGLE: 1, WHOLE: 100, DISTINCT: 10, THOUSAND: 100, FAULTY: 11}  # one of them in vain


def strategy(scale: float) -> Strategy:
    """Return the strategy with its laws."""
    waves = max(round(8 * scale), 2)
    return Strategy(
        title="A batch endpoint: many items in one request",
        trouble="A client has many items at once, and some of them are equal.",
        claim="A list in, duplicates removed by a set, one call of the model: much faster, and better for the user.",
        source="talk at PyCon Italia 2023, which gives no figure",
        use_when="clients have many items at once. Keep their order, and answer every item in its place.",
        loads={"one user": Level(1, 0.3, max(2.5 * scale, 0.8)), "waves": Waves(1, waves)},
        laws=(*_rates(), *_rows(), *_places(waves), *_computed()),
        seen=(
            Seen("softmax of 1,000 rows in a loop", VECTORISED, "", said("loop_ms", "ms")),
            Seen("softmax of 1,000 rows by NumPy", VECTORISED, "", said("numpy_ms", "ms")),
        ),
        gain=Gain(
            "times as many rows per second as one per request: 1,000, of which 100 differ",
            ITEMS, "one user", THOUSAND, SINGLE, less_is_better=False,
        ),
        computations={
            POSITIONS: Computation("strategies.batch_endpoint.positions"),
            VECTORISED: Computation("strategies.batch_endpoint.vectorised"),
        },
    )  # fmt: skip


def _rates() -> Iterator[Law]:
    says = {
        SINGLE: "one row after the other: 1 / (a + b)",
        WHOLE: "100 rows in one call: 100 / (a + 100 b), never more than 1 / b",
        DISTINCT: "of which 10 differ: 100 / (a + 10 b)",
        THOUSAND: "1,000 rows, of which 100 differ: 1,000 / (a + 100 b), 48 times as many",
    }
    for contender, why in says.items():
        rows, floor_ms = ROWS[contender], cost_ms(MODELLED[contender])
        yield Law(
            why, contender, "one user", ITEMS, expected=rate_of_rows(rows, MODELLED[contender]),
            at_least=rows * 1e3 / (floor_ms + _http_ms(rows)), at_most=rows * 1e3 / floor_ms * 1.01,
            contrast=contender == SINGLE,
        )  # fmt: skip
    for contender in (DISTINCT, THOUSAND):
        floor_ms = cost_ms(MODELLED[contender])
        why = f"a request takes a + {MODELLED[contender]} b, and the time to read and write it"
        yield Law(why, contender, "one user", MEDIAN, **from_floor(floor_ms, 0.0, _http_ms(ROWS[contender])))


def _http_ms(rows: int) -> float:
    """Return the time that a request may take to be sent, read, checked and answered."""
    return 3 + 0.012 * rows


def _rows() -> Iterator[Law]:
    modelled = per("modelled", "rows")
    for contender in (WHOLE, DISTINCT, THOUSAND, FAULTY):
        load = "waves" if contender == FAULTY else "one user"
        expected = MODELLED[contender] / ROWS[contender]
        yield Law(
            "rows that the model sees, per row of the request", contender, load, modelled, **within(expected, 1e-6)
        )


def _places(waves: int) -> Iterator[Law]:
    yield Law("100 places are answered, though some hold no row", FAULTY, "waves", FAILURES, **exactly(0))
    yield Law(
        "a set loses number and order: every answer is wrong", NAIVE, "waves", FAILURES, **exactly(waves), contrast=True
    )


def _computed() -> Iterator[Law]:
    why = "10,000 random lists: items with another answer than alone"
    yield Law(why, POSITIONS, "", said("wrong_items", "items"), **exactly(0))
    yield Law(
        "10,000 random lists, in processes of three hash seeds",
        POSITIONS,
        "",
        said("lists", "lists"),
        **exactly(10_000),
    )
    yield Law("rows that the model saw twice", POSITIONS, "", said("needless_rows", "rows"), **exactly(0))
    yield Law(
        "lists that a set answers wrongly", POSITIONS, "", said("naive_wrong_pct", "%"),
        expected=100, at_least=50, at_most=100, contrast=True,
    )  # fmt: skip
    yield Law(
        "softmax of 1,000 rows by NumPy, lists read, in place of a loop", VECTORISED, "", said("times", "times"),
        expected=20, at_least=10, at_most=200,
    )  # fmt: skip
    why = "rows that differ by more than 1e-12"
    yield Law(why, VECTORISED, "", said("rows_that_differ", "rows"), **at_most(0))
