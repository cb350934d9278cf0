"""What the figures of the page are drawn from, as CSV."""

from collections.abc import Callable

from benchmark.experiments.gap.anatomy import STAGES
from benchmark.experiments.gap.schema import Attribution, Explained, Stages
from benchmark.experiments.gap.waterfall import steps
from benchmark.report.charts.data import as_csv


def waterfall_csv(data: Explained, response: str, attribution: Attribution) -> str:
    """Return the steps of a waterfall, from the first contender to the last."""
    rows = steps(data, response, attribution)
    return as_csv(
        ["step", "from", "to", "low", "high", "label"],
        [(row.label, row.start, row.end, *(row.interval or ("", "")), row.words) for row in rows],
    )


def stages_csv(data: Explained, kept: Callable[[Stages], bool]) -> str:
    """Return the stages of a request in ms, of the levels and percentiles that are kept."""
    found = [(name, row) for name, rows in data.anatomy.items() for row in rows if kept(row)]
    stages = [stage for stage in STAGES if any(stage in row.stages_ms for _, row in found)]
    return as_csv(
        ["name", "users", "percentile", "client_ms", *(f"{stage}_ms" for stage in stages)],
        [
            (name, row.users, row.percentile, row.client_ms, *(row.stages_ms.get(stage, "") for stage in stages))
            for name, row in found
        ],
    )


def prediction_csv(data: Explained) -> str:
    """Return what was predicted and measured at each number of users."""
    columns = ("users", "rps_predicted", "rps_measured", "p50_predicted_ms", "p50_measured_ms", "calibrated")
    return as_csv(
        ["name", *columns],
        [
            (name, *(getattr(row, column) for column in columns))
            for name, rows in data.prediction.items()
            for row in rows
        ],
    )


def map_csv(data: Explained) -> str:
    """Return the ratio of rates at each place of the map."""
    return as_csv(
        ["cpu_ms", "users", "ratio", "low", "high", "measured"],
        [(each.cpu_ms, each.users, each.ratio, *(each.ci95 or ("", "")), each.stands) for each in data.crossover],
    )
