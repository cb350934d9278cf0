"""What the pages of doc/ say of the recorded run: for each page its generated blocks.

Sentences stand in facts.j2, a macro for each case; code decides which case it is, and passes the values.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmark.analysis.schema import LOAD_GENERATOR, Comparison, ContenderSummary, Summary, parse_summary
from benchmark.analysis.wording import MISSING, fine_ms, significant
from benchmark.experiments.gap.schema import Explained, WhatIfSummary, parse, shown
from benchmark.report.answers import Phrases
from doc.headline import headline

DOC: Final = Path(__file__).resolve().parent
_SAY: Final = Phrases(DOC, "facts.j2")
_FLASK, _FLASK_AT_ONCE, _HTTPX, _AIOHTTP = "sync", "sync-concurrent", "async", "async-aiohttp"
_NEARLY_ALL: Final = 0.8  # of a gap
_SWEEPS: Final = (
    ("pool-size", "model_pool_size", "connections at most"),
    ("pool-idle", "model_pool_idle", "idle ones kept"),
)
_SECOND_WORKER: Final = "a second worker of the scoring handler"


@dataclass(frozen=True)
class RecordedRun:
    """The recorded run of `explain`, and the contenders among its cells as `bench` summarises them."""

    contenders: Summary
    explained: Explained

    @property
    def line(self) -> str:
        """Return how, where and when it was recorded."""
        return _recorded(f"make {self.contenders.command}", self.contenders)


@dataclass(frozen=True)
class Sweep:
    """A recorded run in which one setting of httpx's pool had several values."""

    block: str
    setting: str
    title: str
    by_value: dict[int, ContenderSummary]
    line: str


def recorded_run(folder: Path = DOC / "recorded") -> RecordedRun:
    """Return the run that the pages are about."""
    contenders = json.loads((folder / "summary.json").read_text())
    explained, manifest = (
        json.loads((folder / "explain" / name).read_text()) for name in ("summary.json", "manifest.json")
    )
    return RecordedRun(parse_summary(contenders), parse(explained, manifest))


def sweeps(folder: Path = DOC / "recorded") -> list[Sweep]:
    """Return the sweeps of the pool's settings that are recorded."""
    found = []
    for block, setting, title in _SWEEPS:
        if (path := folder / f"{block}.json").exists():
            summary = parse_summary(json.loads(path.read_text()))
            by_value = {int(name.rpartition("-")[2]): each for name, each in summary.contenders.items()}
            found.append(Sweep(block, setting, title, by_value, _recorded("make record-pools", summary)))
    return found


def blocks(run: RecordedRun | None = None) -> dict[Path, dict[str, str]]:
    """Return the blocks of each page by name."""
    run = run or recorded_run()
    costs = f"This is what a request costs in CPU at the highest rate.\n\n{cost_table(run.contenders)}\n{run.line}"
    return {
        DOC / "index.md": {"answer": _bullets(headline(run.contenders, run.explained)) + f"\n{run.line}"},
        DOC / "faq.md": {
            "move": f"{_bullets(move(run))}\n{run.line}",
            "workers": f"{workers(run.explained)}\n\n{costs}",
        },
        DOC / "httpx-pool.md": {
            sweep.block: f"{pool(sweep)}\n\n{pool_table(sweep)}\n{sweep.line}" for sweep in sweeps()
        },
        DOC / "deployment.md": {"sizing": f"{rate_table(run.contenders)}\n{costs}"},
    }


def move(run: RecordedRun) -> list[str]:
    """Return what moving from Flask to FastAPI brings, and what Flask has without moving."""
    latency = run.contenders.comparison("low_load_mean_ms", _AIOHTTP)
    gap = run.explained.attribution.get("latency_ms")
    at_once = run.contenders.contenders.get(_FLASK_AT_ONCE)
    said = []
    if _is_shown(latency) and gap and "fan_out" in gap.shares:
        share = gap.shares["fan_out"].value / gap.gap
        said.append((_SAY.latency if share > _NEARLY_ALL else _SAY.latency_otherwise)(share=share))
    else:
        said.append(_SAY.latency_undecided())
    if at_once and at_once.low_load and at_once.stands(run.contenders.low_users):
        said.append(_SAY.flask_at_once(value=at_once.low_load.mean_ms))
    return [*said, *(_rate(run.contenders, *each) for each in ((_AIOHTTP, "aiohttp"), (_HTTPX, "httpx"))), _lean(run)]


def _rate(contenders: Summary, name: str, client: str) -> str:
    compared = contenders.comparison("peak_rps", name)
    if compared and _is_shown(compared):
        return _SAY.rate(client=client, ratio=compared.ratio)
    return _SAY.rate_undecided(client=client)


def _lean(run: RecordedRun) -> str:
    """Say what the lean client does for Flask as it is, with nothing else changed."""
    gap = run.explained.attribution.get("peak_rps")
    first = gap.shares["http_client"].first if gap and "http_client" in gap.shares else None
    if first and first.value > 1 and shown(first.ci95, 1.0):
        return _SAY.flask_lean(ratio=first.value)
    return _SAY.flask_lean_undecided()


def workers(explained: Explained) -> str:
    """Return what a second worker process brought, at the highest number of users that it was measured at."""
    measured = [each for each in explained.what_if if each.title == _SECOND_WORKER and each.rps_measured is not None]
    if not measured:
        return _SAY.not_measured()
    last: WhatIfSummary = max(measured, key=lambda each: each.users)
    change = last.rps_change
    if last.reasons or not change or not shown(change.ci95, 1.0):
        return _SAY.workers_undecided(contender=last.contender, users=last.users)
    return _SAY.workers(contender=last.contender, before=last.rps_before, after=last.rps_measured, users=last.users)


def rate_table(summary: Summary) -> str:
    """Return how fast each contender answers, and how much it carries."""
    heads = ("contender", "mean at one user [ms]", "highest rate [requests/s]", "at users", "p99 there [ms]")
    rows = []
    for name, each in summary.rivals.items():
        if (peak := each.peak) and each.low_load and _stands(each, summary):
            p99 = significant(peak.p99_ms) if peak.p99_ms else "not enough samples"
            cells = [fine_ms(each.low_load.mean_ms), f"{each.at_least}{significant(peak.rps)}", f"{peak.users}", p99]
        else:
            cells = ["INVALID", *[MISSING] * (len(heads) - 2)]
        rows.append([f"`{name}`", *cells])
    return _table(heads, rows)


def cost_table(summary: Summary) -> str:
    """Return the CPU that a request costs in each process at a contender's highest rate."""
    roles = {"scoring": "scoring handler", "model": "models", "redis": "Redis", LOAD_GENERATOR: "load generator"}
    heads = ("contender", *(f"{title} [ms]" for title in roles.values()), "cores of the scoring handler")
    rows = []
    for name, each in summary.rivals.items():
        level = each.level(each.peak.users) if each.peak else None
        if level and _stands(each, summary):
            cpu_ms = level.cpu_ms_per_request
            cores = level.rps * cpu_ms["scoring"] / 1000 if "scoring" in cpu_ms else None
            cells = [significant(value, 2) for value in (*map(cpu_ms.get, roles), cores)]
        else:
            cells = ["INVALID", *[MISSING] * (len(heads) - 2)]
        rows.append([f"`{name}`", *cells])
    return _table(heads, rows)


def _stands(contender: ContenderSummary, summary: Summary) -> bool:
    return contender.stands(summary.low_users) and contender.stands(contender.peak.users if contender.peak else 0)


def pool(sweep: Sweep) -> str:
    """Return what the best and the worst value of a setting of httpx's pool carry, at the most users held."""
    users = max((level.users for each in sweep.by_value.values() for level in each.levels), default=0)
    held = [(each.level(users), each.stands(users)) for each in sweep.by_value.values()]
    levels = sorted((level for level, stands in held if level and stands), key=lambda level: level.rps)
    if len(levels) < 2:
        return _SAY.not_measured()
    worst, best = levels[0], levels[-1]
    if not (worst.ci95_rps and best.ci95_rps and worst.ci95_rps[1] < best.ci95_rps[0]):
        return _SAY.pool_undecided(users=users)
    say = getattr(_SAY, f"{sweep.setting}_matters")
    return str(say(users=users, worst=worst.rps, best=best.rps))


def pool_table(sweep: Sweep) -> str:
    """Return the CPU per request of the scoring handler for each value of a setting, over the number of users."""
    users = sorted({level.users for each in sweep.by_value.values() for level in each.levels})
    heads = [sweep.title, *(f"{n} users" for n in users)]
    return _table(heads, ([f"{value}", *(_cpu(each, n) for n in users)] for value, each in sweep.by_value.items()))


def _cpu(contender: ContenderSummary, users: int) -> str:
    level = contender.level(users)
    if level is None or "scoring" not in level.cpu_ms_per_request:
        return "not measured"
    return significant(level.cpu_ms_per_request["scoring"], 2) if contender.stands(users) else "INVALID"


def _recorded(command: str, summary: Summary) -> str:
    machine = summary.environment.get("machine") or {}
    where = f"{machine.get('cores')} cores of {machine.get('cpu_model')}"
    return f"Recorded with `{command}` on {where}, {summary.started_utc[:10]}.\n"


def _is_shown(compared: Comparison | None) -> bool:
    return bool(compared and compared.difference_shown)


def _bullets(sentences: Iterable[str]) -> str:
    return "".join(f"- {sentence}\n" for sentence in sentences)


def _table(heads: Iterable[str], rows: Iterable[list[str]]) -> str:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
