"""BentoML and LitServe beside a plain FastAPI service: the same model, with and without batches."""

from collections.abc import Iterator
from typing import Final

from benchmark.experiments.strategies.figure_kinds import CORE_SHARE, CPU, FAILURES, MEDIAN, MEMORY, RATE, said
from benchmark.experiments.strategies.law import (
    Chart,
    Computation,
    Figure,
    Gain,
    Law,
    Seen,
    Strategy,
    at_most,
    exactly,
    from_floor,
    within,
)
from benchmark.experiments.strategies.observed import Observed
from benchmark.load.plan import Level, Load, Pause
from strategies.frameworks.answers import ASKED
from strategies.frameworks.parameters import MAX_BATCH, WINDOW_MS, batch_ms
from strategies.laws import closed_rate_rps

USERS: Final = 2 * MAX_BATCH  # one batch is computed while the next fills
ANSWERS: Final = "frameworks-answers"
_ANSWERS_PER_BLOCK: Final = 1_000
_QUICK: Final = 0.5  # below this scale only the rates and the lone requests are measured
_NAMES: Final = {"fastapi": "FastAPI", "bentoml": "BentoML", "litserve": "LitServe"}
_OVERHEAD_MS: Final = {"fastapi": 3.0, "bentoml": 6.0, "litserve": 11.0}  # of a lone request, beside the model
_SHARE: Final = 0.10
_IDLE_PCT: Final = 5.0
_AT_REST: Final = {
    "frameworks-fastapi-batched": "FastAPI",
    "frameworks-bentoml-batched": "BentoML",
    "frameworks-litserve": "LitServe without batches",
}


def strategy(scale: float) -> Strategy:
    """Return the strategy with its laws."""
    is_full = scale > _QUICK
    return Strategy(
        title="Serving frameworks: BentoML and LitServe",
        trouble="A model computes several rows in little more time than one.",
        claim="BentoML largely increases the throughput of an API server over FastAPI and Flask, by batches.",
        source="an article on serving models, which gives no figure; LitServe's own README promises twice FastAPI's",
        use_when="you want what comes with it: images, scaling, several models. The rate comes from the batches, and "
        "a plain FastAPI service with batches is as fast, with less memory.",
        loads=_loads(scale),
        laws=(*_rates(), *_lone(is_full), *(_idle() if is_full else ()), *(_answers() if is_full else ())),
        seen=tuple(_seen(is_full)),
        gain=Gain(
            "times the rate of BentoML without batches",
            RATE, "busy", "frameworks-bentoml-batched", "frameworks-bentoml", less_is_better=False,
        ),
        charts=(
            Chart(
                "The rate comes from the batches, not from the framework",
                RATE, tuple(_all()), "users", {"alone": 1, "busy": USERS},
            ),
        ) if is_full else (),
        computations={
            ANSWERS: Computation("strategies.frameworks.answers", (str(_ANSWERS_PER_BLOCK),), timeout_s=900)
        } if is_full else {},
    )  # fmt: skip


def _loads(scale: float) -> dict[str, Load]:
    return {
        # BentoML learns from its first dozen requests how long batches take, and lets some of them wait meanwhile.
        "alone": Level(1, warmup_s=1.0, measure_s=max(1.25 * scale, 0.6)),
        "busy": Level(USERS, warmup_s=0.8, measure_s=max(2 * scale, 1.0)),
        **({"idle": Pause(1.25 * scale)} if scale > _QUICK else {}),
    }


def _all() -> Iterator[str]:
    for key in _NAMES:
        yield f"frameworks-{key}"
        yield f"frameworks-{key}-batched"


def _rates() -> Iterator[Law]:
    for key, name in _NAMES.items():
        plain, batched = f"frameworks-{key}", f"frameworks-{key}-batched"
        one, many = closed_rate_rps(1, batch_ms(1)), closed_rate_rps(MAX_BATCH, batch_ms(MAX_BATCH))
        yield Law(
            f"{name} without batches: one at a time, 1 / {batch_ms(1):g} ms", plain, "busy", RATE, **within(one, _SHARE)
        )
        says = f"{name} with batches: {MAX_BATCH} / {batch_ms(MAX_BATCH):g} ms"
        yield Law(says, batched, "busy", RATE, **within(many, _SHARE))
        for subject in (plain, batched):
            yield Law(f"{name}: every answer is right", subject, "busy", FAILURES, **exactly(0))


def _lone(is_full: bool) -> Iterator[Law]:
    for key, name in _NAMES.items():
        more_ms, floor_ms = _OVERHEAD_MS[key], batch_ms(1)
        says = f"a lone request to {name} takes {floor_ms:g} ms, and at most {more_ms:g} ms more"
        yield Law(says, f"frameworks-{key}", "alone", MEDIAN, **from_floor(floor_ms, 0, more_ms))
        if not is_full:
            continue
        if key != "bentoml":  # which has no window
            floor_ms += WINDOW_MS
            says = f"a lone request to {name} with batches waits for the window, too: {floor_ms:g} ms"
        yield Law(says, f"frameworks-{key}-batched", "alone", MEDIAN, **from_floor(floor_ms, 0, more_ms))


def _idle() -> Iterator[Law]:
    for subject, name in _AT_REST.items():
        says = f"{name} without requests uses no more than {_IDLE_PCT:g} % of a core"
        yield Law(says, subject, "idle", CORE_SHARE, **at_most(_IDLE_PCT))
    yield Law(
        "LitServe with batch_timeout=0 asks again and again whether there is a request",
        "frameworks-litserve-spinning", "idle", CORE_SHARE,
        expected=100, at_least=50, at_most=200, contrast=True,
    )  # fmt: skip


def _answers() -> Iterator[Law]:
    for key, name in _NAMES.items():
        if key in ASKED:
            says = f"{name}: of {_ANSWERS_PER_BLOCK:,} different requests each gets its own answer"
            yield Law(says, ANSWERS, "", said(f"{key}_wrong", "answers"), **exactly(0))


def _seen(is_full: bool) -> Iterator[Seen]:
    for subject in _all():
        rows = MAX_BATCH if subject.endswith("-batched") else 1
        yield Seen("from the end of a batch to the next, on average", subject, "busy", _between(rows))
        yield Seen("memory of all processes", subject, "busy", MEMORY)
        yield Seen("CPU of all processes", subject, "busy", CPU)
    if is_full:
        says = "without requests: with a window LitServe asks every millisecond whether there is one"
        yield Seen(says, "frameworks-litserve-batched", "idle", CORE_SHARE)


def _between(rows: int) -> Figure:
    """Return how long the model waits between two full batches: what is missing to the law, in ms."""

    def between(seen: Observed) -> float | None:
        return rows * 1e3 / seen.rate_rps - batch_ms(rows) if seen.rate_rps else None

    return Figure("between_ms", "ms", between)
