"""What the page of a run reads: its summary as typed values, tolerant of whatever an interrupted run lacks."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from benchmark.analysis.reasons import Reason, because, in_words, of_contenders
from benchmark.analysis.schema import SMALLEST_CLAIM, Comparison, ContenderSummary, MaybeInterval
from benchmark.analysis.wording import Interval
from benchmark.report.charts.palette import Style, styles

RESPONSES = ("latency_ms", "peak_rps", "cpu_ms")
MULTIPLIED = frozenset({"peak_rps"})  # whose shares are factors; those of the others are differences
LOWER_IS_BETTER = frozenset({"latency_ms", "cpu_ms"})
LOW_USERS = 1


def _or_empty(value: object) -> object:
    return {} if value is None else value


def _or_nothing(value: object) -> object:
    return () if value is None else value


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Figure(_Part):
    """A value with its 95 % interval over the blocks, and the number of users it was taken at.

    `bracketed` says of a rate whether the levels show a peak; older records do not.
    """

    value: float
    ci95: MaybeInterval = None
    users: int | None = None
    bracketed: bool | None = None

    @property
    def at_least(self) -> str:
        """What stands before a rate that is no peak; nothing before any other figure."""
        return "≥ " if self.bracketed is False else ""


class FactorSummary(_Part):
    """What was changed, and what its two settings are called."""

    title: str
    from_: str = Field(alias="from")
    to: str


class CellSummary(_Part):
    """One combination of settings, measured."""

    label: str
    levels: dict[str, str] = {}
    contender: str | None = None
    latency_ms: Figure | None = None
    peak_rps: Figure | None = None
    cpu_ms: Figure | None = None
    valid: bool = True
    reasons: tuple[Reason, ...] = ()

    def figure(self, response: str) -> Figure | None:
        """Return one of the three responses."""
        found: Figure | None = getattr(self, response)
        return found

    def stands(self, response: str) -> bool:
        """Whether a response is VALID: a reason about another number of users does not touch it."""
        figure = self.figure(response)
        users = LOW_USERS if response == "latency_ms" else figure.users if figure else None
        concerned = [r for r in self.reasons if r.users is None or users is None or r.users == users]
        return self.valid or (bool(self.reasons) and not concerned)


class Change(_Part):
    """What one change does: a difference, or a factor of the ratio."""

    value: float
    ci95: MaybeInterval = None


class Share(Change):
    """What a factor contributes on average over all orders; and when it is changed before, or after, all others."""

    first: Change | None = None
    last: Change | None = None


class Interaction(_Part):
    """By how much two factors together do more than each by itself; in half a design, or what cannot be told apart."""

    factors: tuple[str, ...]
    confounded_with: tuple[str, ...] = ()
    value: float
    ci95: MaybeInterval = None


class Attribution(_Part):
    """A gap between two contenders, and the shares that it consists of.

    `ci`, at the level `confidence`, decides whether the gap is shown; without them `ci95` does.
    """

    from_: str = Field(alias="from")
    to: str
    from_value: float
    to_value: float
    gap: float
    ci95: MaybeInterval = None
    ci: MaybeInterval = None
    confidence: float | None = None
    blocks: int | None = None
    shares: dict[str, Share] = {}
    interactions: Annotated[tuple[Interaction, ...], BeforeValidator(_or_nothing)] = ()

    @property
    def interval(self) -> Interval | None:
        """The interval that decides whether the gap is shown."""
        return self.ci95 if self.confidence is None else self.ci


class LatencyParts(_Part):
    """What of the latency shares is the models' sleep, what is not, and what the sleep's shares must be."""

    slept_ms: dict[str, Share] = {}
    beyond_sleep_ms: dict[str, Share] = {}
    expected: dict[str, float] = {}

    @model_validator(mode="before")
    @classmethod
    def _shares_of_attributions(cls, value: dict[str, Any]) -> dict[str, Any]:
        return {name: each.get("shares", each) for name, each in (value or {}).items()}


class Stages(_Part):
    """The stages of the requests around a percentile, in ms; they sum to `client_ms`."""

    users: int
    percentile: int
    n: int = 0
    client_ms: float
    stages_ms: dict[str, float]
    reasons: tuple[Reason, ...] = ()


class Waiting(_Part):
    """How long a process waited for its event loop or for the interpreter lock, by its own sampling."""

    users: int
    kind: str
    mean_ms: float | None = None
    p99_ms: float | None = None
    n: int = 0


class ClockCost(_Part):
    """What the stage clock itself costs."""

    latency_ms: Figure | None = None
    cpu_ms: Figure | None = None


class Predicted(_Part):
    """What was predicted at a number of users, and measured afterwards."""

    users: int
    calibrated: bool = False
    rps_predicted: float | None = None
    rps_bound: float | None = None  # by the simple bound
    rps_measured: float | None = None
    p50_predicted_ms: float | None = None
    p50_measured_ms: float | None = None
    reasons: tuple[Reason, ...] = ()  # why what was measured is INVALID


class PredictedPeak(_Part):
    """The highest rate, predicted and measured; error = predicted / measured - 1.

    `cpu_off` says by role how much more CPU a request cost at the measured peak than was predicted for it.
    """

    users_predicted: int | None = None
    users_measured: int | None = None
    rps_predicted: float | None = None
    rps_measured: float | None = None
    rps_bound: float | None = None  # by the simple bound, for many users; older records have none
    bound_error: float | None = None
    error: float | None = None
    error_ci95: Interval | None = None
    bracketed: bool | None = None  # whether the levels measured show a peak; older records do not say
    cpu_off: Annotated[dict[str, float], BeforeValidator(_or_empty)] = {}
    reasons: tuple[Reason, ...] = ()


class WhatIfSummary(_Part):
    """A contender with another setting; before: without it."""

    contender: str
    title: str
    users: int
    rps_before: float | None = None
    rps_predicted_before: float | None = None
    rps_predicted: float | None = None
    rps_measured: float | None = None
    rps_change: Share | None = None  # measured over before
    error: float | None = None  # predicted / measured - 1, of the rate
    error_ci95: Interval | None = None
    p50_before_ms: float | None = None
    p50_predicted_ms: float | None = None
    p50_measured_ms: float | None = None
    reasons: tuple[Reason, ...] = ()  # why what was measured, before or after, is INVALID


class Crossing(_Part):
    """The rate of `to` over the rate of `from`, for models that compute `cpu_ms` per request.

    A measured place may also say what was predicted for it.
    """

    cpu_ms: float
    users: int
    ratio: float
    measured: bool = False
    ci95: MaybeInterval = None
    ratio_predicted: float | None = None
    reasons: tuple[Reason, ...] = ()  # why what was measured is INVALID

    @property
    def stands(self) -> bool:
        """Whether this was measured, and is VALID."""
        return self.measured and not self.reasons


class Lead(_Part):
    """How long before a measurement its prediction was written down, in seconds, over `n` measurements."""

    least: float
    median: float
    n: int


class Explained(_Part):
    """`summary.json` of `explain`, format 1."""

    schema_version: Literal[1, 2] = Field(alias="schema")
    started_utc: str = ""
    complete: bool = True
    valid: bool = True
    quick: bool = False
    reasons: tuple[Reason, ...] = ()
    notes: Annotated[tuple[str, ...], BeforeValidator(_or_nothing)] = ()
    factors: Annotated[dict[str, FactorSummary], BeforeValidator(_or_empty)] = {}
    confounded: Annotated[dict[str, str], BeforeValidator(_or_empty)] = {}
    cells: Annotated[tuple[CellSummary, ...], BeforeValidator(_or_nothing)] = ()
    comparisons: Annotated[tuple[Comparison, ...], BeforeValidator(_or_nothing)] = ()  # of the contenders
    attribution: Annotated[dict[str, Attribution], BeforeValidator(_or_empty)] = {}
    attribution_customary: Annotated[dict[str, Attribution], BeforeValidator(_or_empty)] = {}
    latency_parts: LatencyParts = LatencyParts()
    anatomy: Annotated[dict[str, tuple[Stages, ...]], BeforeValidator(_or_empty)] = {}
    waiting: Annotated[dict[str, tuple[Waiting, ...]], BeforeValidator(_or_empty)] = {}
    clock_cost: Annotated[dict[str, ClockCost], BeforeValidator(_or_empty)] = {}
    prediction: Annotated[dict[str, tuple[Predicted, ...]], BeforeValidator(_or_empty)] = {}
    peaks: Annotated[dict[str, PredictedPeak], BeforeValidator(_or_empty)] = {}
    what_if: Annotated[tuple[WhatIfSummary, ...], BeforeValidator(_or_nothing)] = ()
    crossover: Annotated[tuple[Crossing, ...], BeforeValidator(_or_nothing)] = ()
    predicted_before: str | None = None
    prediction_lead_s: Lead | None = None
    calibrations: int = 1  # of each contender
    titles: dict[str, str] = {}  # of contenders, in the order of figures; from the manifest

    @property
    def contenders(self) -> list[str]:
        """The main contenders, in the order of figures."""
        measured = [cell.contender for cell in self.cells if cell.contender]
        found = list(dict.fromkeys([*measured, *self.anatomy, *self.prediction, *self.peaks]))
        return sorted(found, key=lambda name: list(self.titles).index(name) if name in self.titles else 99)

    @property
    def styles(self) -> dict[str, Style]:
        """How each contender is drawn: as in every other figure of the project."""
        return styles({name: ContenderSummary() for name in self.contenders})

    @property
    def ends(self) -> tuple[str, str] | None:
        """The two contenders whose gap is explained."""
        first = next((each for each in self.attribution.values()), None)
        return (first.from_, first.to) if first else None

    @property
    def high_users(self) -> int | None:
        """The highest number of users above one at which every contender has an anatomy.

        Where others' waiting was sampled, it is the highest at which it was: the two are read together.
        """
        levels = [{row.users for row in rows} for rows in self.anatomy.values()]
        common = set.intersection(*levels) - {LOW_USERS} if levels else set()
        sampled = {row.users for rows in self.waiting.values() for row in rows}
        return max(common & sampled or common, default=None)

    @property
    def faults(self) -> list[Reason]:
        """Why the run as a whole is INVALID: the reasons that do not name a cell, contender or phase."""
        return [r for r in self.reasons if not self.valid and not r.contender and r.code != "interrupted"]

    def cell_of(self, contender: str) -> CellSummary | None:
        """Return the cell which is this contender."""
        return next((cell for cell in self.cells if cell.contender == contender), None)

    def labels_of(self, contender: str) -> tuple[str, ...]:
        """Return the labels under which a contender was held under load: its cell, or where it is none, its own."""
        cell = self.cell_of(contender)
        return (cell.label,) if cell else (f"main-{contender}",)

    def against(self, attribution: Attribution, response: str) -> list[str]:
        """Return why an attribution is INVALID, in words: the whole run, or a cell that it rests on."""
        return [reason.text for reason in self.faults] + [
            f"{cell.label}: {in_words(cell.reasons or [because('unsaid')])}"
            for cell in self.cells_of(attribution)
            if not cell.stands(response)
        ]

    def without_peak(self, attribution: Attribution, response: str) -> list[CellSummary]:
        """Return the cells that an attribution of peaks rests on, of which the levels measured show none."""
        cells = self.cells_of(attribution) if response in MULTIPLIED else []
        return [cell for cell in cells if (figure := cell.figure(response)) and figure.bracketed is False]

    def ends_without_peak(self, attribution: Attribution, response: str) -> list[CellSummary]:
        """Return the same, of the two contenders that the gap lies between: then there is no gap to speak of."""
        ends = (attribution.from_, attribution.to)
        return [cell for cell in self.without_peak(attribution, response) if cell.contender in ends]

    def cells_of(self, attribution: Attribution) -> list[CellSummary]:
        """Return the cells that an attribution rests on: a factor without a share stays at one setting."""
        end = self.cell_of(attribution.to)
        fixed = {k: v for k, v in end.levels.items() if k not in attribution.shares} if end else {}
        return [cell for cell in self.cells if all(cell.levels.get(k, v) == v for k, v in fixed.items())]


def parse(summary: Mapping[str, Any], manifest: Mapping[str, Any] | None = None) -> Explained:
    """Return a summary as typed values, with the titles of the manifest's contenders.

    Raises pydantic.ValidationError naming what does not fit.
    """
    rows = (manifest or {}).get("contenders") or {}
    ordered = sorted(rows.values(), key=lambda row: row.get("order", 100))
    main = [row for row in ordered if not row.get("harness_floor")]
    titles: dict[str, str] = {}
    for row in main:  # the contenders come before the variants of them, which bear their names
        titles.setdefault(str(row.get("name", "")), str(row.get("title", "")))
    labels = [cell["label"] for cell in summary.get("cells") or ()]
    reasons = of_contenders(summary, [*labels, *titles, *(summary.get("anatomy") or ())])
    return Explained.model_validate({**summary, "titles": titles, "reasons": reasons})


def shown(interval: Interval | None, nothing: float = 0.0) -> bool:
    """Whether an interval shows an effect: it is there, and leaves out what would be none."""
    return interval is not None and not interval[0] <= nothing <= interval[1]


def none_of(response: str) -> float:
    """Return the share that means no effect: a difference of 0, or a factor of 1."""
    return 1.0 if response in MULTIPLIED else 0.0


def gap_shown(response: str, gap: Attribution) -> bool:
    """Whether a gap is shown by the interval that decides, and is large enough to be claimed, as `bench` claims."""
    none = none_of(response)
    share = gap.gap - none if response in MULTIPLIED else gap.gap / gap.from_value if gap.from_value else 0.0
    return shown(gap.interval, none) and abs(share) >= SMALLEST_CLAIM


def improves(response: str, value: float) -> bool:
    """Whether a share makes the response better."""
    return (value < 0) if response in LOWER_IS_BETTER else (value > 1)
