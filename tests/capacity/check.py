"""`python -m tests.capacity.check [--searches 5] [--laws M/D/1,limit]`: real searches of known capacities.

Takes six minutes at most for each search and law, on a machine that does nothing else. Prints how often the interval
holds the truth, its half-width in the median, and how long a search takes; exit status 0 if that is as promised.
"""

import argparse
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console

from benchmark.contenders.discovery import ROOT, Contender, Process
from benchmark.experiments.capacity.curve import Estimate
from benchmark.experiments.capacity.experiment import EXPERIMENT
from benchmark.experiments.capacity.plan import CapacityPlan, assign, make_plan
from benchmark.experiments.capacity.schema import CapacityEntry, CapacitySummary
from benchmark.experiments.experiment import carry_out
from benchmark.measure.progress import Progress
from tests.capacity.laws import LAWS
from tests.capacity.outcomes import HEAD, Outcome
from tests.capacity.truths import true_capacity_rps

_HOLDS, _HALF_WIDTH, _MINUTES = 0.9, 0.06, 6.0  # at least; at most, in the median; at most


def contender_of(law: str, seed: int) -> Contender:
    """Return a server of known capacity as a contender."""
    name = "law-" + law.lower().replace("/", "-")
    process = Process(
        role="scoring",
        command=(sys.executable, "-m", "tests.capacity.server"),
        args=(law, "{port}", str(seed)),
        port=20_000,
        env={"PYTHONPATH": str(ROOT)},
    )
    asked = {"floor": "none", "endpoint": "/", "scenario": "workers"}
    return Contender.model_validate(
        {"name": name, "label": name, "folder": ROOT, "title": law, "process": (process,), **asked}
    )


def search(law: str, plan: CapacityPlan, results: Path) -> CapacityEntry:
    """Search the capacity of one server, and return what was found."""
    assignment = assign([contender_of(law, plan.seed)], plan, {}, free_ports=True)
    run = carry_out(EXPERIMENT, assignment, results, Progress(Console(stderr=True)))
    (entry,) = CapacitySummary.model_validate(run.summary).contenders.values()
    return entry


def main(searches: int, laws: list[str], results: Path) -> int:
    """Print the table as it grows; return 0 if it is as promised."""
    outcomes = []
    for law in laws:
        outcome = Outcome(law, true_capacity_rps(law))
        outcomes.append(outcome)
        for seed in range(1, searches + 1):
            began_s = time.monotonic()
            entry = search(law, make_plan([LAWS[law].promise], seed=seed), results)
            value, ends = entry.capacity_rps, entry.ci95
            outcome.found.append(Estimate(value, *ends) if value and ends else None)
            outcome.minutes.append((time.monotonic() - began_s) / 60)
            state = "VALID" if entry.valid else f"INVALID: {'; '.join(map(str, entry.reasons))}"
            print(f"{law}, search {seed}: {entry.standing}, {value} {ends}, {entry.confirmed}, {state}", flush=True)
    print(HEAD, *(outcome.row for outcome in outcomes), sep="\n")
    tried = sum(len(outcome.found) for outcome in outcomes)
    held = sum(outcome.held for outcome in outcomes)
    half_width = float(np.median([each for outcome in outcomes for each in outcome.half_widths] or [np.inf]))
    longest = max(max(outcome.minutes) for outcome in outcomes)
    print(f"all: {held} of {tried}, half-width {half_width:.1%}, at most {longest:.1f} minutes per search")
    return 0 if held >= _HOLDS * tried and half_width <= _HALF_WIDTH and longest <= _MINUTES else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--searches", type=int, default=5, help="for each law")
    parser.add_argument("--laws", default=",".join(LAWS), help="separated by commas")
    parser.add_argument("--results", type=Path, help="a folder that keeps the runs")
    given = parser.parse_args()
    with TemporaryDirectory() as scratch:
        sys.exit(main(given.searches, given.laws.split(","), given.results or Path(scratch)))
