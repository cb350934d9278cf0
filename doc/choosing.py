"""What doc/choosing.md says of the recorded run of `strategies`: its generated blocks."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from benchmark.analysis.wording import significant
from benchmark.experiments.strategies.discovery import LATER, NOW, load_strategy
from benchmark.experiments.strategies.schema import LawResult, StrategiesSummary, StrategySummary

DOC: Final = Path(__file__).resolve().parent
PAGE: Final = DOC / "choosing.md"
RECORDS: Final = {NOW: DOC / "recorded" / "strategies.json", LATER: DOC / "recorded" / "strategies-later.json"}
_HEAD: Final = "| strategy | for which trouble | measured gain | use it when | laws held |\n|---|---|---|---|---|\n"


def recorded_strategies(group: str = NOW) -> StrategiesSummary | None:
    """Return the recorded run of a group, or None where there is none yet."""
    path = RECORDS[group]
    return StrategiesSummary.model_validate(json.loads(path.read_text())) if path.exists() else None


def blocks() -> dict[str, str]:
    """Return the generated blocks of the page: those of each group that has a recorded run."""
    return {
        f"{group} {name}": text
        for group in RECORDS
        if (summary := recorded_strategies(group))
        for name, text in blocks_of(summary, group).items()
    }


def blocks_of(summary: StrategiesSummary, group: str = NOW) -> dict[str, str]:
    """Return what the page says of one run."""
    command = "make strategies" if group == NOW else f"make strategies STRATEGY={group}"
    return {"table": _table(summary, command), "missed": _missed(summary)}


def take_over(names: Iterable[str], summary: Path) -> None:
    """Keep the summary of a run of these strategies as the recorded one. They are of one group, else SystemExit."""
    groups = {load_strategy(name).group for name in names}
    if len(groups) != 1:
        raise SystemExit(
            "a run of both groups, expected one of each: `make record-strategies`, and with STRATEGY=later"
        )
    shutil.copy(summary, RECORDS[groups.pop()])


def _table(summary: StrategiesSummary, command: str) -> str:
    rows = "".join(_row(name, each) for name, each in summary.strategies.items())
    machine = summary.environment["machine"]
    where = f"{machine['cores']} cores of {machine['cpu_model']}, {summary.started_utc[:10]}"
    return f"{_HEAD}{rows}\nRecorded with `{command}` on {where}, in {summary.blocks} blocks.\n"


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
