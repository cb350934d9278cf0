"""`summary.json` of a gate: each figure of base and head, and what was decided."""

from benchmark.analysis.reasons import Reason
from benchmark.analysis.schema import Head, MaybeInterval, SummaryPart
from benchmark.analysis.sequential import Decision


class GateFigure(SummaryPart):
    """One figure. Changes are shares, above 0 if they are for the worse."""

    name: str
    called: str
    unit: str
    users: int
    allowed: float
    decision: Decision
    valid: bool = True
    reasons: tuple[Reason, ...] = ()
    pairs: int = 0  # that the decision rests on
    base: float | None = None
    head: float | None = None
    change: float | None = None
    interval: MaybeInterval = None  # of the change; all intervals hold together in 95 % of the runs
    could_show: float | None = None  # the smallest change that would just have been shown to be worse than allowed
    why: str = ""  # it cannot be told


class Side(SummaryPart):
    """Base or head."""

    title: str = ""
    row: str = ""
    revision: str = ""
    valid: bool = True
    reasons: tuple[Reason, ...] = ()


class GateSummary(Head):
    """A run of `gate`."""

    pairs: int = 0
    budget_s: float
    contenders: dict[str, Side]
    figures: tuple[GateFigure, ...]
    notes: tuple[str, ...] = ()

    @property
    def worse(self) -> list[GateFigure]:
        """The figures that are shown to be worse than allowed."""
        return self._decided(Decision.WORSE)

    @property
    def fine(self) -> list[GateFigure]:
        return self._decided(Decision.NOT_WORSE)

    @property
    def unclear(self) -> list[GateFigure]:
        return self._decided(Decision.OPEN)

    def _decided(self, decision: Decision) -> list[GateFigure]:
        return [each for each in self.figures if each.valid and each.decision is decision]
