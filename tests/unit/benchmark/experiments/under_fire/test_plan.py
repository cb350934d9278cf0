"""The plan: who meets which fault when, under which arrivals, and what the contract lets them answer."""

import json
from dataclasses import asdict

import pytest

from benchmark.contenders.discovery import choose, discover
from benchmark.contenders.service_settings import with_overrides
from benchmark.errors import SettingRefused
from benchmark.experiments.under_fire.plan import (
    DEFAULT_CONTENDERS,
    OVERLOAD,
    PEAK,
    QUICK,
    QUICK_CONTENDERS,
    TROUBLES,
    UnderFirePlan,
    assign,
    choose_troubles,
    deadline_s,
    generators_for,
    kind_of,
    plan_of,
)
from benchmark.load.arrivals import times_of

LABELS = DEFAULT_CONTENDERS.split(",")


def test_every_contender_meets_every_fault_once_and_overload_follows_its_peak() -> None:
    parts = UnderFirePlan().parts(LABELS)
    assert sorted(parts) == sorted(
        (part, label) for part in (*(trouble.name for trouble in TROUBLES), PEAK, OVERLOAD) for label in LABELS
    )
    for place, (part, label) in enumerate(parts):
        if part == OVERLOAD:
            assert parts[place - 1] == (PEAK, label)
    assert parts == UnderFirePlan().parts(LABELS) != UnderFirePlan(seed=2).parts(LABELS)


def test_the_whole_is_under_a_quarter_of_an_hour_and_quick_under_three_minutes() -> None:
    for plan, labels, most_s in ((UnderFirePlan(), LABELS, 780), (QUICK, QUICK_CONTENDERS.split(","), 150)):
        assert sum(plan.seconds_of(part) for part, _ in plan.parts(labels)) < most_s


def test_without_overload_nothing_of_it_is_measured() -> None:
    assert {part for part, _ in UnderFirePlan(overload=False).parts(["a"])} == {each.name for each in TROUBLES}


def test_requests_come_at_the_same_times_for_every_contender_and_overload_is_three_times_the_peak() -> None:
    plan = UnderFirePlan()
    due_s = times_of(plan.arrivals(TROUBLES[0]))
    assert due_s == times_of(plan.arrivals(TROUBLES[0]))
    assert len(due_s) == pytest.approx(50 * (1.5 + 3.5 + 1.5 + 7), rel=0.15)
    offered_s = times_of(plan.overload_arrivals(400))
    within = [at_s for at_s in offered_s if 5.0 <= at_s < 15.0]
    assert len(within) == pytest.approx(12_000, rel=0.03)
    assert len(offered_s) - len(within) == pytest.approx(100 * 10, rel=0.15)


def test_a_plan_comes_back_from_its_manifest() -> None:
    assignment = assign(choose(LABELS, discover()), QUICK, {})
    assert plan_of(json.loads(json.dumps(assignment.recorded_plan))) == QUICK
    assert plan_of(json.loads(json.dumps(asdict(UnderFirePlan())))) == UnderFirePlan()


def test_the_manifest_says_until_when_an_answer_must_be_there() -> None:
    chosen = choose(["sync", "async"], discover())
    changed = with_overrides(chosen, {"model_timeout_ms": "1000", "redis_timeout_ms": "200", "max_in_flight": "128"})
    sync, event_loop = (deadline_s(contender) for contender in changed)
    assert event_loop == pytest.approx(1.2)  # both models at once
    assert sync == pytest.approx(2 * 2.2)  # one after the other, and 128 requests take turns on 64 threads
    assert list(assign(changed, QUICK, {}).facts["deadlines_s"].values()) == [sync, event_loop]


@pytest.mark.parametrize("contender", LABELS)
def test_every_fault_can_happen_to_every_default_contender(contender: str) -> None:
    (chosen,) = choose([contender], discover())
    for trouble in TROUBLES:
        changed = trouble.applied_to(chosen)
        roles = [process.role for process in changed.process]
        assert trouble.fault.role in roles
        assert (f"{trouble.fault.role}-proxy" in roles) is trouble.is_proxied


def test_a_fault_that_there_is_not_is_a_sentence_with_those_that_there_are() -> None:
    assert [each.name for each in choose_troubles("sigterm, redis-slow,sigterm")] == ["sigterm", "redis-slow"]
    with pytest.raises(SettingRefused, match="no fault 'fire'; choose from redis-killed, redis-stopped"):
        choose_troubles("fire")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("no answer (status 0): ConnectionRefusedError: [Errno 111] Connection refused", "refused"),
        ("no answer (status 0): ConnectionResetError: [Errno 104] Connection reset by peer", "broken"),
        ("no answer (status 0): HTTPConnectionClosed: connection closed.", "broken"),
        ("no answer (status 0): BrokenPipeError: [Errno 32] Broken pipe", "broken"),
        ("no answer (status 0): TimeoutError: timed out", "timed out"),
        ("no answer (status 0): OSError: [Errno 24] Too many open files", "other"),
    ],
)
def test_no_answer_has_a_kind(error: str, kind: str) -> None:
    assert kind_of(error) == kind


@pytest.mark.parametrize(("rps", "count"), [(10, 1), (1_000, 1), (1_001, 2), (90_000, 3)])
def test_more_generators_share_a_higher_rate(rps: float, count: int) -> None:
    assert generators_for(rps) == count
