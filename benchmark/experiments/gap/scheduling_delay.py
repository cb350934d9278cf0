"""How long tasks in the scoring processes were delayed, by their own sampling: logs -> figures by level."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.analysis.variant_figures import Measured
from benchmark.experiments.gap.factors import ENTRANCE
from benchmark.record.run import Run, TrialRecord, Window
from contract.lag import LagSample, parse_lag_line

_SECOND_NS = 10**9


def waiting(run: Run, variants: Sequence[Measured], kinds: Mapping[str, str]) -> dict[str, list[dict[str, Any]]]:
    """Return by contender and level the mean delay, and the mean of the seconds' p99, in ms.

    `kinds` says by contender what its sampler is delayed by. Only seconds that lie inside a window count.
    """
    sampled = {v.label: v.facts["of"] for v in variants if v.facts["phase"] == "lag" and v.facts["of"] in kinds}
    found: dict[str, list[dict[str, Any]]] = {}
    for cell in run.cells():
        if cell.contender in sampled and cell.status == "measured":
            name = sampled[cell.contender]
            samples = [sample for line in _log(run, cell).splitlines() if (sample := parse_lag_line(line))]
            rows = [_row(window, samples, kinds[name]) for window in cell.windows]
            found.setdefault(name, []).extend(row for row in rows if row)
    return found


def _row(window: Window, samples: Sequence[LagSample], kind: str) -> dict[str, Any] | None:
    inside = [s for s in samples if window.start_ns + _SECOND_NS <= s.t_ns <= window.end_ns]
    n = sum(sample.n for sample in inside)
    if not n:
        return None
    return {
        "users": window.users,
        "kind": kind,
        "mean_ms": sum(sample.mean_ms * sample.n for sample in inside) / n,
        "p99_ms": sum(sample.p99_ms for sample in inside) / len(inside),
        "n": n,
    }


def _log(run: Run, cell: TrialRecord) -> str:
    path = run.path / "logs" / f"block-{cell.block + 1}" / f"{cell.contender}-{ENTRANCE}.log"
    return path.read_text(errors="replace") if path.exists() else ""
