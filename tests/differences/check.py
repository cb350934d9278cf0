"""`python -m tests.differences.check WHAT [--runs N]`: many real runs of `versus` or `gate`, whose answer is known.

    two-commands   from the URLs of a Flask, a FastAPI and a Node service to a page each, with an API key
    same           `versus` on one URL: no difference should be shown
    later          `versus` of a service and one that answers 5 ms later
    gate-same      `gate` of a service and itself
    gate-hungry    `gate` of a service and one that uses 5 % more CPU
    live           `bench` with and without `--live`: the page should cost little, and change nothing

Takes a minute for each run, `gate` at most seven, a pair of `live` two, on a machine that does nothing else. Prints a
line per run and a sum; exit status 0 if they are as promised.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmark.contenders.discovery import ROOT
from benchmark.experiments.gate.schema import GateSummary
from benchmark.experiments.versus.observed import ONE_USER
from benchmark.experiments.versus.schema import VersusSummary
from tests.differences.live import Measured, is_free, measured_once
from tests.differences.running import benchmark, files_with_key, newest, running

_LATER_MS: Final = 5.0
_HUNGRIER: Final = 0.05
_MINUTES: Final = 5.0
_SCENARIO: Final = "mine.toml"
_CONTENDERS = f"""
[contender.base]
title = "A service"
floor = "none"
endpoint = "/score"
scenario = "score"
[[contender.base.process]]
role = "scoring"
command = ["{sys.executable}", "-m", "tests.differences.fastapi_service"]
args = ["{{port}}"]
port = 9000
ready = "/openapi.json"
env = {{ PYTHONPATH = "{ROOT}" }}

[contender.hungry]
like = "base"
title = "The same, with more CPU per request"
env = {{ scoring = {{ PLANTED_CPU = "{_HUNGRIER}" }} }}
"""
_SCORE = """
[scenario.score]
title = "Score one row"
headers = { Content-Type = "application/json" }
body = '{"row": [5.1, 3.5, 1.4, 0.2]}'
check = { status = 200 }
"""


def two_commands(folder: Path, runs: int) -> bool:
    """Measure each kind of service against another one of its kind; return whether all was as promised."""
    good = True
    for kind in ("flask", "fastapi", "node") * runs:
        with running(kind) as one, running(kind) as other:
            began_s = time.monotonic()
            asked = _init(folder, one)
            done = benchmark(["versus", f"A={one}", f"B={other}", "--scenario", _SCENARIO], folder)
            minutes = (time.monotonic() - began_s) / 60
        results = folder / "results"
        leaks = files_with_key(results) if results.exists() else [folder]
        good &= not (asked.returncode or done.returncode or leaks) and minutes < _MINUTES
        page = results / "latest" / "report.html"
        print(f"{kind}: status {asked.returncode} and {done.returncode}, {minutes:.1f} minutes, ", end="")
        print(f"page {'written' if page.exists() else 'MISSING'}, key in {len(leaks)} files", flush=True)
        if asked.returncode or done.returncode:
            print(asked.stderr, done.stderr, done.stdout[-2_000:])
    return good


def same(folder: Path, runs: int) -> bool:
    """Compare a service with itself; return whether differences were shown in at most an eighth of the runs."""
    with running("fastapi") as url:
        _init(folder, url)
        found = [_versus(folder, url, url, seed) for seed in range(1, runs + 1)]
    shown = sum(any(each.shown for each in summary.compared) for summary in found)
    print(f"a difference was shown in {shown} of {runs} runs")
    return shown <= runs / 8


def later(folder: Path, runs: int) -> bool:
    """Compare a service with one that is later; return whether it was always shown, and mostly by how much."""
    with running("fastapi") as one, running("fastapi", PLANTED_MS=str(_LATER_MS)) as other:
        _init(folder, one)
        found = [_versus(folder, one, other, seed) for seed in range(1, runs + 1)]
    one_user = [each for summary in found if (each := summary.comparison(ONE_USER))]
    shown = sum(each.shown and each.difference > 0 for each in one_user)
    intervals = [each.difference_ci for each in one_user if each.difference_ci]
    held = sum(low <= _LATER_MS <= high for low, high in intervals)
    print(f"{_LATER_MS} ms were shown in {shown} of {runs} runs, and the interval held them in {held}")
    return shown == runs and held >= 0.85 * runs


def _init(folder: Path, url: str) -> "subprocess.CompletedProcess[str]":
    return benchmark(["scenario", "init", url, "--header", "X-API-Key=env:SCORE_API_KEY"], folder, _SCENARIO)


def _versus(folder: Path, one: str, other: str, seed: int) -> VersusSummary:
    words = ["versus", f"A={one}", f"B={other}", "--scenario", _SCENARIO, "--quick", "--seed", str(seed)]
    done = benchmark(words, folder)
    summary = VersusSummary.model_validate(newest(folder / "results", done.returncode).summary)
    print(f"run {seed}, status {done.returncode}:", end="")
    for each in summary.compared:
        ends = each.difference_ci and "{:+.2f} to {:+.2f}".format(*each.difference_ci)
        print(f" {each.figure} {each.difference:+.2f} ({ends}){', shown' if each.shown else ''};", end="")
    print("", flush=True)
    return summary


def gate_same(folder: Path, runs: int) -> bool:
    """Gate a service against itself, nothing allowed; return whether at most one run called it worse."""
    asked = ["--allow", "p50_ms=0%", "--allow", "cpu_ms=0%", "--minutes", "2"]
    worse = sum(bool(_gate(folder, "base", seed, asked).worse) for seed in range(1, runs + 1))
    print(f"false alarms in {worse} of {runs} runs")
    return worse <= 1


def gate_hungry(folder: Path, runs: int) -> bool:
    """Gate a service that uses more CPU; return whether nine of ten runs called it worse.

    The machine's own speed drifts within seconds, so many short blocks show more than a few long ones.
    """
    asked = ["--allow", "cpu_ms=1%", "--seconds", "1", "--minutes", "5.5"]
    found = [_gate(folder, "hungry", seed, asked) for seed in range(1, runs + 1)]
    worse = sum("cpu_ms" in {each.name for each in summary.worse} for summary in found)
    print(f"{_HUNGRIER:.0%} more CPU were found in {worse} of {runs} runs")
    return worse >= 0.9 * runs


def _gate(folder: Path, head: str, seed: int, asked: Sequence[str]) -> GateSummary:
    (folder / "contender.toml").write_text(_CONTENDERS)
    (folder / "scenario.toml").write_text(_SCORE)
    words = ["gate", "--base", "contender.toml:base", "--head", f"contender.toml:{head}"]
    began_s = time.monotonic()
    done = benchmark([*words, *asked, "--free-ports", "--seed", str(seed)], folder)
    minutes = (time.monotonic() - began_s) / 60
    summary = GateSummary.model_validate(newest(folder / "results", done.returncode).summary)
    print(f"run {seed}, status {done.returncode}, {minutes:.1f} minutes, {summary.pairs} pairs:", end="")
    for each in summary.figures:
        ends = each.interval and "{} to {}".format(*(end if end is None else f"{end:+.1%}" for end in each.interval))
        why = f" {'; '.join(map(str, each.reasons))}" if not each.valid else ""
        print(f" {each.name} {each.change or 0:+.1%} ({ends}) {each.decision.value}{why};", end="")
    print("", flush=True)
    return summary


def live(folder: Path, runs: int) -> bool:
    """Measure in pairs without and with `--live`; return whether it is as good as free."""
    found: dict[bool, list[Measured]] = {False: [], True: []}
    for run in range(runs):
        for shown in (False, True) if run % 2 else (True, False):
            found[shown].append(measured_once(folder, run + 1, shown))
            print(f"run {run + 1}, {'with' if shown else 'without'} the page: {found[shown][-1]}", flush=True)
    return is_free(found[False], found[True])


CHECKS: Final[dict[str, tuple[Callable[[Path, int], bool], int]]] = {
    "two-commands": (two_commands, 1),
    "same": (same, 40),
    "later": (later, 20),
    "gate-same": (gate_same, 10),
    "gate-hungry": (gate_hungry, 10),
    "live": (live, 14),
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=CHECKS)
    parser.add_argument(
        "--runs", type=int, help="default: " + ", ".join(f"{n} {what}" for what, (_, n) in CHECKS.items())
    )
    given = parser.parse_args()
    check, usual = CHECKS[given.what]
    with TemporaryDirectory() as scratch:
        sys.exit(0 if check(Path(scratch), given.runs or usual) else 1)
