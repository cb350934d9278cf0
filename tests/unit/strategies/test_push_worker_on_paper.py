"""What the push worker's laws expect, the requests that they are about, and the contenders that they suppose."""

from itertools import pairwise
from statistics import fmean

import pandas as pd
import pytest

from benchmark.experiments.strategies.figure_kinds import FAILURES
from benchmark.experiments.strategies.observed import Observed
from benchmark.load.arrivals import times_of
from benchmark.load.plan import Arrivals
from contract.schema import parse_scoring_numbers
from strategies.push_worker.law_figures import (
    GAPS,
    LOST,
    PUSHED,
    QUEUED,
    REST,
    UNEXPLAINED,
    backlog_on_paper,
    growth,
    growth_on_paper,
    new_s,
    poison_of,
    worked_off,
)
from strategies.push_worker.parameters import (
    ATTEMPTS,
    BACKOFFS_MS,
    IN_FLIGHT,
    KNOWN,
    NEW_EVERY,
    POISON,
    SLOW_MS,
)
from strategies.push_worker.requests_file import FOLDER, files, is_new, is_poison
from strategies.push_worker.strategy import strategy
from tests.conftest import CONTENDERS

OWN = {name: each for name, each in CONTENDERS.items() if name.startswith("push-worker-")}


@pytest.mark.parametrize("name", ["new.jsonl", "mixed.jsonl", "poison.jsonl"])
def test_the_files_of_requests_are_those_that_the_module_writes(name: str) -> None:
    assert (FOLDER / name).read_text().splitlines() == files()[name]


def test_new_requests_are_new_and_known_ones_are_known() -> None:
    lines = {name: [tuple(parse_scoring_numbers(line.encode())) for line in each] for name, each in files().items()}
    known = {tuple(parse_scoring_numbers(line)) for line in (FOLDER / "known.jsonl").read_bytes().splitlines()[:KNOWN]}
    assert len(set(lines["new.jsonl"])) == len(lines["new.jsonl"])
    assert not known & set(lines["new.jsonl"])
    new = [numbers for place, numbers in enumerate(lines["mixed.jsonl"]) if is_new(place)]
    assert len(set(new)) == len(new) == len(lines["mixed.jsonl"]) // NEW_EVERY
    assert not known & set(new)
    assert all(numbers in known for place, numbers in enumerate(lines["mixed.jsonl"]) if not is_new(place))
    assert len(set(lines["poison.jsonl"])) == len(lines["poison.jsonl"])


def test_every_answer_that_is_looked_at_is_20() -> None:
    for name in ("mixed.jsonl", "poison.jsonl"):
        assert {2 * sum(parse_scoring_numbers(line.encode())) for line in files()[name]} == {20.0}


def test_the_poisonous_requests_are_where_the_law_counts_them() -> None:
    lines = files()["poison.jsonl"]
    assert [line.startswith(f"[{POISON:g},") for line in lines] == [is_poison(place) for place in range(len(lines))]
    load = Arrivals(15.0, 4.0, warmup_s=0.0, seed=20)
    assert poison_of(load) == sum(line.startswith(f"[{POISON:g},") for line in lines[: len(times_of(load))]) > 0


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_no_contender_is_asked_more_than_its_file_holds(scale: float) -> None:
    asked = strategy(scale)
    held = {name: len(lines) for name, lines in files().items()}
    for name in asked.contenders:
        arrivals = [load for load in map(asked.loads.get, asked.loads_of(name)) if isinstance(load, Arrivals)]
        sent = sum(len(times_of(load)) for load in arrivals)
        file = {"push-worker-mixed": "mixed.jsonl", "push-worker-poison": "poison.jsonl"}.get(name, "new.jsonl")
        if OWN[name].scenario not in {"push-worker-known", "push-worker-polled", "push-worker-same"}:
            assert sent <= held[file], name


def test_below_what_the_slot_can_do_a_backlog_stays_and_above_it_grows_by_the_difference() -> None:
    load = Arrivals(200.0, 2_000.0, warmup_s=0.0, seed=1)
    new = new_s(load)
    assert growth_on_paper(new, load.measure_s) == pytest.approx(200 / NEW_EVERY - 1e3 / SLOW_MS, rel=0.02)
    load = Arrivals(80.0, 2_000.0, warmup_s=0.0, seed=1)
    assert growth_on_paper(new_s(load), load.measure_s) == pytest.approx(0, abs=0.01)


def test_a_backlog_on_paper_is_that_of_its_arrivals() -> None:
    found = dict(backlog_on_paper([0.1, 0.2, 0.3, 2.0], slots=1, service_ms=250))
    assert found == {0.0: 0, 0.5: 2, 1.0: 0, 1.5: 0, 2.0: 0, 2.5: 0, 3.0: 0}


def test_new_requests_are_counted_from_where_the_loads_before_ended() -> None:
    load = Arrivals(100.0, 3.0, warmup_s=0.0, seed=1)
    times = times_of(load)
    for before in (0, 7, 15, 45):
        assert new_s(load, before) == [at_s for place, at_s in enumerate(times) if is_new(place + before)]


def watched(*backlog: float) -> Observed:
    return Observed(series=[(0.5 * look, {"backlog": jobs}) for look, jobs in enumerate(backlog)])


def test_growth_and_what_is_worked_off_are_slopes_of_what_was_watched() -> None:
    seen = watched(0, 1, 2, 3, 4, 2.5, 1, 0, 0, 0)  # until 2 s, and back
    assert growth(2.0).of(seen) == pytest.approx(2.0)
    assert worked_off(2.0).of(seen) == pytest.approx(3.0)
    assert growth(1.0).of(watched(0, 1)) is None
    assert worked_off(2.0).of(watched(0, 1, 2)) is None


def test_lost_is_what_was_accepted_and_not_answered() -> None:
    samples = pd.DataFrame({"requests": [1, 1, 3, 3], "ok": [True, False, True, False]})
    assert LOST.of(Observed(samples=samples)) == 1


def test_runs_are_explained_by_effects_and_by_messages_that_were_delivered_again() -> None:
    before = {"runs": 10, "effects": 10, "redelivered": 0}
    after = {"runs": 33, "effects": 30, "redelivered": 2}
    assert UNEXPLAINED.of(Observed(before=before, after=after)) == 1
    assert UNEXPLAINED.of(Observed(before=before, after={**after, "redelivered": 9})) == 0
    assert UNEXPLAINED.of(Observed(before=before)) is None


def test_stages_add_up_to_the_time_until_the_result() -> None:
    samples = pd.DataFrame({"ok": [True, True], "response_ms": [90.0, 110.0], "accepted_ms": [4.0, 6.0]})
    after = {"queued_ms": 10.0, "first_attempts": 2, "push_ms": 100.0, "attempts": 2}
    seen = Observed(samples=samples, before={"attempts": 0}, after=after)
    assert (QUEUED.of(seen), PUSHED.of(seen), REST.of(seen)) == (5.0, 50.0, 40.0)
    assert REST.of(Observed(samples=samples)) is None


def test_gaps_are_means() -> None:
    first = next(iter(GAPS))
    assert first.of(Observed(before={"attempts": 1}, after={"gap_1_ms": 310.0, "gaps_1": 3})) == pytest.approx(
        103.33, 1e-3
    )
    assert [right / left for left, right in pairwise(GAPS.values())] == [2, 2, 2]


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_every_load_under_which_something_is_killed_has_laws_of_failures_losses_and_effects(scale: float) -> None:
    asked = strategy(scale)
    for load, kill in asked.kills.items():
        own = {law.figure.name: law for law in asked.laws if law.load == load}
        assert {FAILURES.name, "lost", "duplicate_effects", "unexplained_runs"} <= set(own)
        assert own["lost"].at_most == own["duplicate_effects"].at_most == 0
        assert kill.role in {process.role for process in OWN["push-worker-killed"].process}


def test_in_three_blocks_each_process_is_killed_twenty_times_at_least_and_a_thousand_jobs_come_meanwhile() -> None:
    asked = strategy(1.0)
    assert min(3 * kill.times for kill in asked.kills.values()) >= 20
    killed = [load for name, load in asked.loads.items() if name in asked.kills and isinstance(load, Arrivals)]
    assert 3 * sum(len(times_of(load)) for load in killed) >= 1000


def test_contenders_are_configured_as_the_laws_suppose() -> None:
    for name, contender in OWN.items():
        env = {process.role: process.env for process in contender.process}
        if name == "push-worker-direct":
            continue
        dispatcher, scoring = env["dispatcher"], env["scoring"]
        slots = 1 if name == "push-worker-mixed" else IN_FLIGHT
        assert int(dispatcher["PUSH_IN_FLIGHT"]) == slots, name
        pauses_ms = [1e3 * float(dispatcher[f"PUSH_{end}_BACKOFF_S"]) for end in ("MIN", "MAX")]
        assert pauses_ms == [BACKOFFS_MS[0], BACKOFFS_MS[-1]]
        assert len(BACKOFFS_MS) == ATTEMPTS - 1
        is_known = "known" in name or name == "push-worker-mixed"
        assert int(scoring["STRATEGY_KNOWN"]) == (KNOWN if is_known else 0), name
        assert float(env["worker"].get("PUSH_MODEL_MS", 45)) == (SLOW_MS if name == "push-worker-mixed" else 45)
    assert len(OWN) == 9


def test_the_minute_at_the_rate_that_is_demanded_is_a_minute() -> None:
    minute = strategy(1.0).loads["minute"]
    assert isinstance(minute, Arrivals)
    assert (minute.rate_rps, minute.measure_s) == (200, 60)
    gaps = [later - earlier for earlier, later in pairwise(times_of(minute))]
    assert fmean(gaps) == pytest.approx(1 / 200, rel=0.03)
