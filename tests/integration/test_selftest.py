"""The real absorber under the real load generator. How well both do is measured by the experiment, not here."""

from pathlib import Path

import pytest

from benchmark.contenders.discovery import choose
from benchmark.experiments.selftest.measure import _ask
from benchmark.experiments.selftest.observed import stall_of
from benchmark.experiments.selftest.plan import ABSORBER, OPEN, QUICK
from benchmark.experiments.selftest.truth import drawn_ms, held_ms, true_ms
from benchmark.measure.levels import hold
from benchmark.record.run import read_samples
from benchmark.stack.watchdog import Guard
from tests.conftest import CONTENDERS
from tests.unit.benchmark.fakes import make_session
from tests.unit.benchmark.synthetic import make_run

pytestmark = pytest.mark.integration


def test_no_request_is_answered_before_its_time_and_the_stall_is_met_by_all_that_come_in_it(
    tmp_path: Path, guard: Guard
) -> None:
    (contender,) = choose([ABSORBER], CONTENDERS)
    session = make_session(make_run(tmp_path, [contender]), free_ports=True)
    session.guard = guard
    trial = hold(session, QUICK.absorber(contender, OPEN), QUICK.loads[OPEN], part=OPEN, on_event=_ask)
    samples = read_samples(session.run.file("samples", trial, ".csv"))
    stall = stall_of(session.run, OPEN)
    assert samples["ok"].all()
    assert stall.end - stall.start == pytest.approx(QUICK.stall_s * 1e9, abs=1e3)
    assert set(drawn_ms(samples)) == {50.0}
    assert (held_ms(samples) >= 50.0).all()
    assert (samples["latency_ms"] >= held_ms(samples)).all()
    true = true_ms(samples["scheduled_ns"], drawn_ms(samples), stall)
    assert (samples["response_ms"] >= true - 0.01).all()
    assert true.max() > 0.7 * QUICK.stall_s * 1e3
