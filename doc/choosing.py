"""What doc/choosing.md says of the recorded run of `strategies`: its generated blocks."""

import json
from pathlib import Path
from typing import Final

from benchmark.analysis.wording import significant
from benchmark.experiments.strategies.schema import LawResult, StrategiesSummary, StrategySummary

DOC: Final = Path(__file__).resolve().parent
PAGE: Final = DOC / "choosing.md"
RECORD: Final = DOC / "recorded" / "strategies.json"
_HEAD: Final = "| strategy | for which trouble | measured gain | use it when | laws held |\n|---|---|---|---|---|\n"


def recorded_strategies(path: Path = RECORD) -> StrategiesSummary | None:
    """Return the recorded run, or None where there is none yet."""
    return StrategiesSummary.model_validate(json.loads(path.read_text())) if path.exists() else None


def blocks(summary: StrategiesSummary | None = None) -> dict[str, str]:
    """Return the generated blocks of the page; nothing without a recorded run."""
    summary = summary or recorded_strategies()
    if summary is None:
        return {}
    return {"table": _table(summary), "missed": _missed(summary)}


def _table(summary: StrategiesSummary) -> str:
    rows = "".join(_row(name, each) for name, each in summary.strategies.items())
    machine = summary.environment["machine"]
    where = f"{machine['cores']} cores of {machine['cpu_model']}, {summary.started_utc[:10]}"
    return f"{_HEAD}{rows}\nRecorded with `make strategies` on {where}, in {summary.blocks} blocks.\n"


def _row(name: str, strategy: StrategySummary) -> str:
    link = f"[{strategy.title}](../strategies/{name}/README.md)"
    held = f"{len(strategy.held)} of {len(strategy.judged)}"
    return f"| {link} | {strategy.trouble} | {_gain(strategy)} | {strategy.use_when} | {held} |\n"


def _gain(strategy: StrategySummary) -> str:
    gain = strategy.gain
    if gain is None or gain.times is None:
        return "none is claimed"
    return f"{significant(gain.times, 2)} {gain.says}" if gain.valid else "INVALID in this run"


def _missed(summary: StrategiesSummary) -> str:
    """Return the laws that did not hold, or could not be told."""
    told, held, untold = len(summary.judged), len(summary.held), len(summary.untold)
    text = f"{held} of {told} laws held within the tolerance that was fixed before the run.\n"
    if untold:
        text += f"{untold} more could not be told, since their measurement is INVALID or missing.\n"
    if not summary.missed:
        return text
    rows = "".join(_missed_row(law) for law in summary.missed)
    return f"{text}\n| missed | contender | expected | measured |\n|---|---|---|---|\n{rows}"


def _missed_row(law: LawResult) -> str:
    expected, measured = (f"{significant(value)} {law.unit}".rstrip() for value in (law.expected, law.value))
    return f"| {law.says} | `{law.subject}` | {expected} | {measured} |\n"
