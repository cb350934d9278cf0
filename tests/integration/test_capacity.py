"""Two rates are offered to a real server of known capacity: one is kept, the other ends early."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmark.experiments.capacity.measure import ContenderSearch
from benchmark.experiments.capacity.plan import make_plan
from benchmark.measure.progress import Progress
from benchmark.measure.session import Session
from benchmark.record.manifest import make_manifest
from benchmark.record.run import Run
from benchmark.stack.watchdog import Guard
from tests.capacity.check import contender_of

pytestmark = pytest.mark.integration


def test_a_rate_within_the_limit_is_kept_and_one_far_beyond_it_is_ended_early(tmp_path: Path) -> None:
    contender = contender_of("limit", seed=1)  # refuses what is above 250 requests/s
    # Any try may be slow on a busy machine, but is refused only beyond the limit: 25 in a tenth of a second, more than
    # 20 per second bring if the machine stands still for a whole one.
    plan = replace(make_plan(["errors<1%"], quick=True, first_rps=20.0), coarse_steps=(40.0, 2.0), coarse_s=3.0)
    run = Run.create(tmp_path, "capacity", make_manifest([contender], 1, {}, {}, 0.0))
    with closing(Guard()) as guard:
        session = Session(run, guard, Progress(Console(quiet=True)), free_ports=True)
        searching = ContenderSearch(session, contender, plan)
        assert searching.step()
        assert searching.step()
    kept, broken = searching.search.tries
    assert (kept.offer.rate_rps, kept.sustained, kept.counts[0].missed) == (20.0, True, 0)
    assert (broken.offer.rate_rps, broken.kept_each) == (800.0, (False,))
    assert broken.counts[0].at_least
    first, second = (trial.windows[0].seconds for trial in run.trials())
    assert second < first  # the planned time was the same
