"""A row for each job: who may work on it, whose job is worked on again, and what is written once."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from feature_store.server import embedded_server
from strategies.job_huey.connections import connect
from strategies.job_huey.jobs import Jobs
from strategies.job_huey.parameters import DEAD_S
from strategies.job_huey.rows import Row, Rows, read_effects
from tests.unit.strategies.job_huey_bench import die, make_bench, settings, take, work_off

COUNTED = {"started": 1.0, "waited_ms": 5.0}
ROWS = "strategies.job_huey.rows"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with embedded_server() as url:
        yield url


@pytest.fixture
def redis_url(server: str) -> str:
    Redis.from_url(server).flushall()
    return server


@pytest.fixture
def redis(redis_url: str) -> Any:
    return Redis.from_url(redis_url, decode_responses=True)


@pytest.fixture
def rows(redis_url: str) -> Iterator[Rows]:
    rows = Rows(connect(settings(redis_url), decodes=True))
    yield rows
    rows.close()


def accept(rows: Rows, job_id: str = "a", limit: int = 9) -> int:
    return rows.accept(job_id, [1.0], "low", limit)


def row_of(rows: Rows, job_id: str = "a") -> Row:
    row = rows.find(job_id)
    assert row is not None
    return row


def begin(rows: Rows, job_id: str = "a", consumer: str = "one", lives: bool = True) -> Row:
    """Let a consumer begin with a job, and return its row."""
    if lives:
        rows.beat(consumer)
    assert rows.claim(job_id, consumer, COUNTED)
    return row_of(rows, job_id)


def astray(rows: Rows, *waiting: str) -> list[str]:
    return [row.job_id for row in rows.astray(lambda: waiting)]


def no_queue() -> list[str]:
    raise AssertionError("huey's queue is read though there is no doubt")


def test_a_row_is_what_its_hash_says() -> None:
    found = {"number": "7", "document": "[1, 2.5]", "priority": "high", "state": "queued", "since": "100.5"}
    row = Row.from_hash("a", found)
    assert row == Row("a", 7, (1.0, 2.5), "high", "queued", "100.5", consumer="")
    assert row.age_s(102.0) == 1.5
    assert Row.from_hash("a", {**found, "consumer": "one"}).consumer == "one"


def test_jobs_are_numbered_and_each_id_once(rows: Rows) -> None:
    assert [accept(rows, job_id) for job_id in ("a", "b", "a")] == [1, 2, 0]
    assert [row.job_id for row in rows.open()] == ["a", "b"]
    assert rows.find("c") is None


def test_no_more_rows_than_the_limit_are_open_and_a_finished_one_makes_room(rows: Rows) -> None:
    assert [accept(rows, "a", limit=1), accept(rows, "b", limit=1)] == [1, -1]
    assert rows.find("b") is None
    rows.finish("a", 60, {})
    assert accept(rows, "b", limit=1) == 2


def test_a_job_is_claimed_with_its_consumer_and_counted(rows: Rows) -> None:
    accept(rows)
    for waited_ms in (5.0, 3.0, 4.0):
        assert rows.claim("a", "one", {"started": 1.0, "waited_ms": waited_ms})
    row, said = row_of(rows), rows.statistics()
    assert (row.state, row.consumer) == ("started", "one")
    assert (said["started"], said["waited_ms"], said["least_wait_ms"]) == (3, 12, 3)


def test_what_was_never_accepted_or_is_finished_cannot_be_claimed(rows: Rows) -> None:
    assert not rows.claim("nobody", "one", COUNTED)
    accept(rows)
    rows.finish("a", 60, {})
    assert not rows.claim("a", "one", COUNTED)
    assert "started" not in rows.statistics()


def test_the_job_of_a_living_consumer_cannot_be_claimed_by_another_and_that_of_a_dead_one_can(
    rows: Rows, redis: Any
) -> None:
    accept(rows)
    begin(rows, consumer="one")
    assert not rows.claim("a", "two", COUNTED)
    assert rows.claim("a", "one", COUNTED)  # as it may after a result that could not be stored
    redis.delete("jobs:alive:one")
    assert rows.claim("a", "two", COUNTED)
    assert row_of(rows).consumer == "two"


def test_a_heartbeat_expires(rows: Rows, redis: Any) -> None:
    rows.beat("one")
    assert 0 < redis.pttl("jobs:alive:one") <= DEAD_S * 1e3


def test_a_row_goes_back_to_the_queue_once(rows: Rows) -> None:
    accept(rows)
    row = begin(rows)
    assert [rows.requeue(row), rows.requeue(row)] == [True, False]  # as by two that look at the same time
    assert row_of(rows).state == "queued"
    assert rows.statistics()["requeued"] == 1


def test_a_row_that_changed_meanwhile_does_not_go_back_to_the_queue(rows: Rows) -> None:
    accept(rows)
    begin(rows, lives=False)
    (seen,) = rows.astray(no_queue)
    begin(rows, consumer="two")
    assert not rows.requeue(seen)
    assert (row_of(rows).state, row_of(rows).consumer) == ("started", "two")
    seen = row_of(rows)
    rows.finish("a", 60, {})
    assert not rows.requeue(seen)
    assert row_of(rows).state == "finished"
    assert "requeued" not in rows.statistics()


def test_a_row_that_is_forgotten_does_not_go_back_to_the_queue(rows: Rows, redis: Any) -> None:
    accept(rows)
    row = row_of(rows)
    redis.delete("jobs:row:a")
    assert not rows.requeue(row)
    assert rows.find("a") is None


def test_the_jobs_of_living_consumers_and_those_that_are_new_are_not_astray(rows: Rows) -> None:
    for job_id in ("new", "begun", "done"):
        accept(rows, job_id)
    begin(rows, "begun")
    rows.finish("done", 60, {})
    assert rows.astray(no_queue) == []


def test_the_job_of_a_dead_consumer_is_astray_and_those_of_others_are_not(rows: Rows) -> None:
    for job_id, lives in (("a", False), ("b", True), ("c", False)):
        accept(rows, job_id)
        begin(rows, job_id, consumer=f"of {job_id}", lives=lives)
    assert astray(rows) == ["a", "c"]


def test_a_job_that_waits_for_long_and_is_in_no_queue_is_astray(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    for job_id in ("a", "b"):
        accept(rows, job_id)
    monkeypatch.setattr(f"{ROWS}.STALE_S", -1.0)
    assert astray(rows, "a") == ["b"]
    assert astray(rows, "a", "b") == []


def test_a_job_that_takes_too_long_is_astray_though_its_consumer_lives(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(rows)
    begin(rows)
    monkeypatch.setattr(f"{ROWS}.LONGEST_S", -1.0)
    assert astray(rows) == ["a"]


@pytest.mark.parametrize(("only_once", "entries"), [(True, 1), (False, 2)])
def test_an_effect_is_written_once_or_without_that_care_each_time(
    rows: Rows, redis: Any, only_once: bool, entries: int
) -> None:
    accept(rows)
    row = row_of(rows)
    assert [rows.write_effect(row, only_once), rows.write_effect(row, only_once)] == [True, not only_once]
    assert redis.lrange("jobs:effects", 0, -1) == ["low 1 a"] * entries
    assert rows.statistics()["duplicate_effects"] == entries - 1


def test_a_finished_row_is_counted_and_remembered_for_a_while(rows: Rows, redis: Any) -> None:
    accept(rows)
    rows.finish("a", 60, {"finished": 1.0, "worked_ms": 2.5})
    said = rows.statistics()
    assert (said["finished"], said["worked_ms"], said["backlog"]) == (1, 2.5, 0)
    assert 0 < redis.ttl("jobs:row:a") <= 60
    assert rows.open() == []


def test_without_redis_nothing_is_claimed_or_written() -> None:
    rows = Rows(connect(settings("redis://127.0.0.1:1/0"), decodes=True))
    with pytest.raises(RedisError):
        rows.claim("a", "one", COUNTED)
    with pytest.raises(RedisError):
        rows.astray(no_queue)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], (0, 0, 0, 0)),
        (["low 1 a", "low 2 b", "low 3 c"], (3, 0, 0, 0)),
        (["low 1 a", "low 1 a", "low 2 b"], (3, 1, 0, 0)),
        (["high 2 b", "low 1 a", "low 3 c"], (3, 0, 1, 0)),
        (["low 2 b", "low 1 a", "high 3 c"], (3, 0, 1, 1)),
        (["low 1 a", "high 3 c", "low 2 b", "low 2 b", "low 5 e", "low 4 d"], (6, 1, 3, 1)),
    ],
)
def test_the_effect_log_tells_duplicates_and_who_was_overtaken(
    entries: list[str], expected: tuple[int, int, int, int]
) -> None:
    said = read_effects(entries)
    names = ("effects", "duplicate_effects", "out_of_order", "out_of_order_within")
    assert tuple(said[name] for name in names) == expected


@pytest.mark.parametrize(
    ("order", "expected"),
    [("fifo", ["low 1", "high 2", "low 3", "high 4"]), ("priority", ["high 2", "high 4", "low 1", "low 3"])],
)
def test_jobs_are_taken_in_turn_or_the_urgent_ones_first(
    redis_url: str, redis: Any, order: str, expected: list[str]
) -> None:
    bench = make_bench(redis_url, order=order)
    for priority in ("low", "high", "low", "high"):
        bench.jobs.submit([1.0], priority)
        time.sleep(0.001)  # the order within a class is that of a clock in microseconds
    work_off(bench)
    assert [entry.rpartition(" ")[0] for entry in redis.lrange("jobs:effects", 0, -1)] == expected


def test_a_job_whose_consumer_is_dead_is_worked_on_again_and_its_effect_is_written_once(redis_url: str) -> None:
    dead, other = (make_bench(redis_url) for _ in range(2))
    job_id = dead.jobs.submit([1.0]).job_id
    dead._work(*take(dead).args)
    die(dead)  # before huey stores the result
    assert dead.jobs.statistics()["lost"] == 1
    assert [row.job_id for row in other.jobs.sweep()] == [job_id]
    work_off(other)
    said = other.jobs.statistics()
    assert other.jobs.look_up(job_id).total == 2.0
    assert (said["started"], said["effects"], said["duplicate_effects"], said["backlog"]) == (2, 1, 0, 0)
    assert said["lost"] == 0


def test_huey_as_it_is_writes_the_effect_of_a_job_that_comes_twice_twice(redis_url: str) -> None:
    dead, other = (make_bench(redis_url, keeps=False) for _ in range(2))
    dead.jobs.submit([1.0])
    dead._work(*take(dead).args)
    die(dead)
    other.jobs.sweep()
    work_off(other)
    assert other.jobs.statistics()["duplicate_effects"] == 1


def test_a_job_of_a_living_consumer_is_left_alone_and_a_second_copy_is_dropped(redis_url: str) -> None:
    first, other = (make_bench(redis_url) for _ in range(2))
    job_id = first.jobs.submit([1.0]).job_id
    task = take(first)
    assert other.jobs.sweep() == []
    other.jobs.huey.enqueue(task)
    work_off(other)
    assert other.jobs.look_up(job_id) == ("started", None)


def test_a_copy_of_a_job_that_is_done_is_dropped(redis_url: str) -> None:
    bench = make_bench(redis_url)
    bench.jobs.submit([1.0])
    task = bench.jobs.huey.dequeue()
    for _ in range(2):
        bench.jobs.huey.enqueue(task)
    work_off(bench)
    said = bench.jobs.statistics()
    assert (said["started"], said["effects"]) == (1, 1)


def test_a_job_that_never_got_into_the_queue_is_put_there_once(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = Jobs(settings(redis_url))
    accept(jobs.rows)
    assert jobs.sweep() == []  # it may still be on its way
    monkeypatch.setattr(f"{ROWS}.STALE_S", -1.0)
    assert jobs.statistics()["lost"] == 1
    assert [row.job_id for row in jobs.sweep()] == ["a"]
    assert jobs.sweep() == []  # now it waits in the queue
    assert len(jobs.huey) == 1
    work_off(make_bench(redis_url))
    assert jobs.look_up("a").total == 2.0


def test_a_job_that_takes_too_long_is_worked_on_again(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, other = (make_bench(redis_url) for _ in range(2))
    job_id = slow.jobs.submit([1.0]).job_id
    task = take(slow)
    with monkeypatch.context() as patient:
        patient.setattr(f"{ROWS}.LONGEST_S", -1.0)
        assert [row.job_id for row in other.jobs.sweep()] == [job_id]
    work_off(other)
    slow._work(*task.args)  # it was only slow: its effect is there already
    said = other.jobs.statistics()
    assert (said["effects"], said["duplicate_effects"], said["backlog"]) == (1, 0, 0)


def test_an_interrupted_job_is_put_back(redis_url: str) -> None:
    bench = make_bench(redis_url)
    job_id = bench.jobs.submit([1.0]).job_id
    take(bench)
    bench.jobs.put_back(job_id)
    work_off(bench)
    assert bench.jobs.look_up(job_id).total == 2.0


def test_what_is_done_or_unknown_is_not_put_back(redis_url: str) -> None:
    bench = make_bench(redis_url)
    job_id = bench.jobs.submit([1.0]).job_id
    work_off(bench)
    for each in (job_id, "nobody"):
        bench.jobs.put_back(each)
    assert len(bench.jobs.huey) == 0
    assert bench.jobs.look_up(job_id).total == 2.0


def test_a_job_that_cannot_be_begun_without_redis_is_dropped_and_found_again(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench(redis_url)
    job_id = bench.jobs.submit([1.0]).job_id

    def away(*_: Any) -> None:
        raise RedisError("away")

    with monkeypatch.context() as broken:
        broken.setattr(bench.jobs.rows, "claim", away)
        work_off(bench)
    assert bench.jobs.look_up(job_id) == ("queued", None)
    monkeypatch.setattr(f"{ROWS}.STALE_S", -1.0)
    assert [row.job_id for row in bench.jobs.sweep()] == [job_id]
    work_off(bench)
    assert bench.jobs.look_up(job_id).total == 2.0


@pytest.mark.parametrize("fails", ["put_result", "delete"])
def test_a_result_that_cannot_be_stored_leaves_the_job_to_be_done_again(
    monkeypatch: pytest.MonkeyPatch, redis_url: str, fails: str
) -> None:
    bench = make_bench(redis_url)
    job_id = bench.jobs.submit([1.0]).job_id

    def away(*_: Any, **__: Any) -> None:
        raise RedisError("away")

    with monkeypatch.context() as broken:
        broken.setattr(bench.jobs.huey, fails, away)
        with pytest.raises(RedisError):
            bench.jobs.huey.execute(bench.jobs.huey.dequeue())
    assert bench.jobs.statistics()["backlog"] == 1
    die(bench)
    bench.jobs.sweep()
    work_off(bench)
    assert bench.jobs.look_up(job_id).total == 2.0
    assert bench.jobs.statistics()["effects"] == 1


def test_an_effect_that_cannot_be_written_is_no_failure_of_the_job_and_it_is_done_again(
    monkeypatch: pytest.MonkeyPatch, redis_url: str
) -> None:
    bench = make_bench(redis_url)
    job_id = bench.jobs.submit([1.0]).job_id

    def away(*_: Any, **__: Any) -> None:
        raise RedisError("away")

    with monkeypatch.context() as broken:
        broken.setattr(bench.jobs.rows, "write_effect", away)
        bench.jobs.huey.execute(bench.jobs.huey.dequeue())
    assert bench.jobs.look_up(job_id) == ("started", None)
    work_off(bench)
    said = bench.jobs.statistics()
    assert bench.jobs.look_up(job_id).total == 2.0
    assert (said["started"], said["effects"], said["backlog"]) == (2, 1, 0)
