"""The anatomy of a request: the stages of those requests that lie around a percentile, from the record.

The client's latency is cut at the places which the stage clock names in `Server-Timing`; what is left
over was spent in the client and on the wire. So the stages sum to the latency, and what can be
checked is that nothing had to be negative for it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from benchmark.analysis.model_sleep import model_sleep_ms
from benchmark.analysis.reasons import Reason, because
from benchmark.analysis.stats import samples_needed
from benchmark.record.run import Run, TrialRecord
from contract.timing import parse_server_timing

CLIENT: Final = "client_and_network"
SLEEP: Final = "model_sleep"
OVERHEAD: Final = "model_overhead"
MODELS: Final = "models"  # in place of the two above, where the models' draws were not recorded
QUEUE: Final = "queue"
STAGES: Final = (CLIENT, QUEUE, "parse", "features", SLEEP, OVERHEAD, MODELS, "respond")  # in reading order
PERCENTILES: Final = (50, 99)

_BANDS: Final = {50: (0.45, 0.55), 99: (0.985, 0.995)}  # ranks around a percentile, as shares of all
_SMALLEST_BAND: Final = 5  # requests
_TOLERANCE: Final = 0.02  # of the latency: how far a remainder may be below zero
_BEYOND: Final = 0.01  # of the requests: how many may say more than was measured; two processes' clocks meet in them
_STOPPED_CLOCK: Final = 0.1  # of the requests: how many may show a queue of exactly nothing
_TIMELINE: Final = (QUEUE, "parse", "features", MODELS, "respond")  # the stages that follow each other

Row = dict[str, Any]


def stage_anatomy(
    run: Run, cells: Mapping[str, Sequence[TrialRecord]], floors: Mapping[str, str]
) -> tuple[dict[str, list[Row]], list[Reason]]:
    """Return the anatomy of each contender in the form of summary.json, and what speaks against it.

    `cells` are each contender's cells, `floors` say how it asks its models: `sum` one after the other,
    `max` at once. A level with too few requests for a percentile has no row for it.
    """
    found: dict[str, list[Row]] = {}
    reasons: list[Reason] = []
    for name, own in cells.items():
        frames = [run.cell_samples(cell) for cell in own]
        rows = anatomy_rows(pd.concat(frames, ignore_index=True), floors[name]) if frames else []
        if rows:
            found[name] = rows
        elif any(frame["measured"].any() for frame in frames):
            reasons.append(because("no_stages").at(contender=name))
        reasons += [
            reason.at(contender=name, users=row["users"], part=f"p{row['percentile']}")
            for row in rows
            for reason in row["reasons"]
        ]
    return found, reasons


def anatomy_rows(samples: pd.DataFrame, floor: str) -> list[Row]:
    """Return one contender's rows by users and percentile; `samples` are those of all its cells."""
    counted = samples[samples["measured"].astype(bool) & samples["ok"].astype(bool)]
    rows = []
    for users, level in counted.groupby("users"):
        latencies_ms = level["latency_ms"].to_numpy(dtype=float)
        headers = level["server_timing"].fillna("").to_numpy(dtype=object)
        order = np.argsort(latencies_ms, kind="stable")
        for percent in PERCENTILES:
            if order.size < samples_needed(percent):
                continue
            chosen = order[_band(order.size, percent)]
            row = _row(latencies_ms[chosen], headers[chosen], floor)
            if row:
                rows.append({"users": int(str(users)), "percentile": percent, **row})
    return rows


def _band(size: int, percent: int) -> slice:
    """Return which ranks of `size` sorted requests lie around a percentile: at least five."""
    low, high = (share * size for share in _BANDS[percent])
    lack = max(_SMALLEST_BAND - (high - low), 0.0)
    first = max(round(low - lack / 2), 0)
    last = min(max(round(high + lack / 2), first + _SMALLEST_BAND), size)
    return slice(max(min(first, last - _SMALLEST_BAND), 0), last)


def _row(latencies_ms: np.ndarray, headers: np.ndarray, floor: str) -> Row | None:
    """Return the mean latency and stages of some requests, None if their answers name no stages."""
    cuts = [(ms, _stages(str(header), floor)) for ms, header in zip(latencies_ms, headers, strict=True) if header]
    cuts = [(ms, stages) for ms, stages in cuts if stages]
    if not cuts:
        return None
    n = len(cuts)
    client_ms = round(sum(ms for ms, _ in cuts) / n, 4)
    names = [name for name in STAGES if any(name in stages for _, stages in cuts)]
    means = {name: round(sum(stages.get(name, 0.0) for _, stages in cuts) / n, 4) for name in names}
    rest_ms = round(client_ms - sum(means.values()), 4)
    return {
        "n": n,
        "client_ms": client_ms,
        "stages_ms": {CLIENT: rest_ms, **means},
        "reasons": _reasons(client_ms, rest_ms, means, cuts, len(headers)),
    }


def _stages(header: str, floor: str) -> dict[str, float]:
    """Return one request's stages on the server in ms, with the models' own sleep apart from the rest."""
    timing = parse_server_timing(header)
    stages: dict[str, float] = {name: timing[name][0] for name in _TIMELINE if name in timing}
    drawn_ms = timing.get("drawn")
    if MODELS in stages and drawn_ms:
        slept_ms = model_sleep_ms(drawn_ms, floor)
        stages[SLEEP], stages[OVERHEAD] = slept_ms, stages.pop(MODELS) - slept_ms
    return stages


def _reasons(
    client_ms: float,
    rest_ms: float,
    means: Mapping[str, float],
    cuts: Sequence[tuple[float, Mapping[str, float]]],
    asked: int,
) -> list[Reason]:
    """Return why a row is not to be believed."""
    said = []
    if rest_ms < -_TOLERANCE * client_ms:
        said.append(because("stages_too_long", excess=-rest_ms / client_ms))
    beyond = sum(sum(stages.values()) > ms * (1 + _TOLERANCE) for ms, stages in cuts)
    if beyond > _BEYOND * len(cuts) and not said:
        said.append(because("some_stages_too_long", count=beyond, of=len(cuts)))
    overhead_ms = means.get(OVERHEAD, 0.0)
    if overhead_ms < -_TOLERANCE * client_ms:
        said.append(because("early_models", early_ms=-overhead_ms))
    stopped = sum(stages.get(QUEUE) == 0 for _, stages in cuts)
    if stopped > _STOPPED_CLOCK * len(cuts):
        said.append(because("stopped_clock", count=stopped, of=len(cuts)))
    if QUEUE not in means:
        said.append(because("no_queue"))
    if len(cuts) < asked:
        said.append(because("answers_without_stages", count=asked - len(cuts), of=asked))
    return said
