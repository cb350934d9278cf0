import pytest

from benchmark.errors import ObjectiveError
from benchmark.load.objectives import Objective, parse_objective


@pytest.mark.parametrize(
    ("written", "share", "limit_ms"),
    [
        ("p99<100ms", 0.99, 100.0),
        ("p99.9 < 1s", 0.999, 1000.0),
        (" p50<=60.5ms ", 0.5, 60.5),
        ("errors<0.1%", 0.999, None),
        ("errors < 1 %", 0.99, None),
    ],
)
def test_an_objective_is_read_as_it_is_said(written: str, share: float, limit_ms: float | None) -> None:
    assert parse_objective(written) == Objective(written.strip(), share, limit_ms)


@pytest.mark.parametrize(
    "written",
    ["", "fast", "p99", "p99<100", "p100<1s", "p0<1s", "p99<0ms", "errors<0%", "errors<100%", "p99>100ms", "mean<5ms"],
)
def test_what_is_no_objective_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(ObjectiveError, match=r"such as '(p99<100ms|errors<0.1%)'"):
        parse_objective(written)
