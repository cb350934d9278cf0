"""Tables of the docs that come from a recorded run of `bench` each: two sweeps of httpx's pool, and the whole field.

A record is the `summary.json` of such a run under doc/recorded/, taken over by `doc/generate.py --record`.
"""

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.analysis.schema import parse_summary
from benchmark.analysis.wording import significant
from benchmark.contenders.discovery import discover
from benchmark.record.run import Run

ROOT = Path(__file__).resolve().parent.parent
RECORDED = ROOT / "doc" / "recorded"


@dataclass(frozen=True)
class Recorded:
    """A table from one run of `bench`: the block that it fills, on which page, how the run is made and recognised."""

    block: str
    page: Path
    command: str
    matches: Callable[[Sequence[str]], bool]  # the names of the contenders that the run measured
    table: Callable[[Mapping[str, Any]], str]

    @property
    def path(self) -> Path:
        """Return where the recorded summary lies."""
        return RECORDED / f"{self.block}.json"

    def text(self) -> str:
        """Return the table and, below it, where and when it was recorded."""
        summary = json.loads(self.path.read_text())
        machine = summary["environment"]["machine"]
        where = f"{machine['cores']} cores of {machine['cpu_model']}, {summary['started_utc'][:10]}"
        return f"{self.table(summary)}\nRecorded with `{self.command}` on {where}, in {summary['blocks']} blocks.\n"


def bench_row(name: str, entry: Mapping[str, Any], at_least: str) -> str:
    """Return a contender's row in a table under BENCH_HEAD."""
    low, peak = entry["low_load"], entry["peak"]
    cpu_ms = sum(ms for role, ms in entry["cpu_ms_per_request"].items() if role != "load")
    p99 = f"{peak['p99_ms']:.0f} ms" if peak["p99_ms"] else "not enough samples"
    cells = (
        f"`{name}`",
        entry["title"] + ("" if entry["valid"] else " (INVALID in this run)"),
        f"{low['mean_ms']:.1f} ms",
        f"{low['over_floor']:.2f} x",
        f"{at_least}{significant(peak['rps'])} rps at {peak['users']} users",
        p99,
        f"{cpu_ms:.1f} ms",
    )
    return f"| {' | '.join(cells)} |\n"


BENCH_HEAD = (
    "| contender | | 1 user, mean | over the floor | highest rate measured | p99 there | CPU per request |\n"
    + "|---" * 7
    + "|\n"
)


def bench_table(summary: Mapping[str, Any]) -> str:
    """Return a row for each contender of a run, without those that only show how fast the harness is."""
    rivals = parse_summary(summary).rivals
    rows = (bench_row(name, summary["contenders"][name], each.at_least) for name, each in rivals.items())
    return BENCH_HEAD + "".join(rows)


def _sweep(block: str, setting: str, title: str) -> Recorded:
    """Return the table of one setting's values, in rows, over users."""
    named = re.compile(rf".+-{setting}-(\d+)")

    def table(summary: Mapping[str, Any]) -> str:
        users = [users for users in summary["levels"] if users > 1]
        head = "".join(f" {n} users |" for n in users)
        rows = "".join(_sweep_row(named, name, entry, users) for name, entry in summary["contenders"].items())
        return f"Requests per second and p99:\n\n| {title} |{head}\n{'|---' * (1 + len(users))}|\n{rows}"

    page = ROOT / "doc" / "measurement.md"
    return Recorded(block, page, "make record-pools", lambda names: all(map(named.fullmatch, names)), table)


def _sweep_row(named: re.Pattern[str], name: str, entry: Mapping[str, Any], users: Sequence[int]) -> str:
    value = named.fullmatch(name)
    if not value:
        raise SystemExit(f"{name!r} is not of the form {named.pattern}")
    levels = {level["users"]: level for level in entry["levels"]}
    cells = [_sweep_cell(levels[n]) if n in levels else "not measured" for n in users]
    return f"| {value[1]} | {' | '.join(cells)} |\n"


def _sweep_cell(level: Mapping[str, Any]) -> str:
    if not level["valid"]:
        return "INVALID"
    p99 = f", {level['p99_ms']:,.0f} ms" if level["p99_ms"] else ""
    return f"{level['rps']:,.0f}{p99}"


def _is_whole_field(names: Sequence[str]) -> bool:
    return set(names) == {each.name for each in discover().values() if each.follows_contract}


TABLES = (
    _sweep("pool-size", "model_pool_size", "connections at most"),
    _sweep("pool-idle", "model_pool_idle", "idle ones kept"),
    Recorded("field", ROOT / "doc" / "contenders.md", "make record-field", _is_whole_field, bench_table),
)


def take_over_table(run: Run) -> bool:
    """Keep the summary of a run that one of the tables shows; say whether there is such a table."""
    names = run.manifest.get("contenders") or [""]
    for table in TABLES:
        if run.manifest["command"] == "bench" and table.matches(names):
            shutil.copy(run.path / "summary.json", table.path)
            return True
    return False
