"""`python -m benchmark.load.runner PLAN.json`: runs headless Locust through the loads of a plan.

Writes events to standard output, one JSON document per line: `ready`; `measuring` when a measured window begins, and
`window` when it ends, with its bounds on the monotonic clock; `tick` in between; `waiting` when it goes on only after
a line on standard input. Waits for such a line before it reads its plan, too, so that it can load its modules while
the contender starts.
"""

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path

import gevent
from gevent.pool import Pool
from gevent.socket import wait_read
from locust.env import Environment
from locust.html import get_html_report
from locust.runners import LocalRunner
from locust.stats import PERCENTILES_TO_REPORT, StatsCSVFileWriter, stats_history

from benchmark.load.alarm import Alarm
from benchmark.load.arrivals import times_of
from benchmark.load.bounds import BoundsWatch
from benchmark.load.peak import CLIMB_GROWTH, grows
from benchmark.load.plan import Arrivals, Bound, Level, LoadPlan, Pause, Scheduled, Waves
from benchmark.load.samples import SampleWriter
from benchmark.load.shares import sending_logged
from benchmark.load.users import AskingUser, user_class
from contract.garbage_collection import freeze_startup_objects
from contract.limits import raise_open_files

_FLUSH_S = 0.5
_STOP_TIMEOUT_S = 5.0
# Answers per user before measuring starts, and again before it ends.
_WARMUP_ROUNDS, _MEASURED_ROUNDS = 2, 2
_PATIENCE_S = 10.0
# The load stays unchanged for this long after a window, so that the CPU sample at its end covers the window only:
# starting and stopping users, and writing reports, cost the generator as much as dozens of requests.
_READING_S = 0.03
# The fastest that Locust recommends.
_SPAWN_PER_S = 100
_LOOK_S = 0.05  # how often the last answers of a load with bounds are looked at
_LINE_BYTES = 64  # more than the harness writes at once


class Interrupted(Exception):
    """The harness ended the process with a signal."""


def run(plan: LoadPlan) -> None:
    """Carry out a plan. On SIGTERM or SIGINT stop early; everything measured so far is on disk."""
    environment = Environment(user_classes=[user_class(plan)], stop_timeout=_STOP_TIMEOUT_S)
    runner = environment.create_local_runner()
    writer = SampleWriter(plan.samples)
    environment.events.request.add_listener(writer.on_request)
    gevent.spawn(stats_history, runner)
    csv_writer = StatsCSVFileWriter(environment, PERCENTILES_TO_REPORT, str(plan.locust), full_history=True)
    csv_greenlet = gevent.spawn(csv_writer)
    main_greenlet = gevent.getcurrent()
    flusher = gevent.spawn(_flush_forever, writer, lambda error: gevent.kill(main_greenlet, error))
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, lambda: gevent.kill(main_greenlet, Interrupted))
    freeze_startup_objects()
    try:
        rates_rps = [_hold(runner, writer, level) for level in plan.levels]
        for level in plan.climb:
            if not grows(rates_rps, CLIMB_GROWTH):
                break
            rates_rps.append(_hold(runner, writer, level))
        _apply_all(plan, environment, runner, writer)
    except Interrupted:
        pass
    finally:
        flusher.kill()
        runner.stop()
        writer.close()
        csv_greenlet.kill()
        csv_writer.close_files()
        Path(f"{plan.locust}.html").write_text(get_html_report(environment, show_download_link=False))
        runner.quit()


def _hold(runner: LocalRunner, writer: SampleWriter, level: Level) -> float:
    """Hold a level and return a rough rate, which only decides whether to climb further."""
    writer.users = level.users
    runner.start(level.users, spawn_rate=_SPAWN_PER_S)
    if runner.spawning_greenlet:
        runner.spawning_greenlet.join()
    _pass(writer, level.warmup_s, answers=_WARMUP_ROUNDS * level.users)
    start_ns, answered = _begin(level.users), writer.answered
    _pass(writer, level.measure_s, answers=_MEASURED_ROUNDS * level.users)
    end_ns = _end(level.users, start_ns)
    rate_rps = (writer.answered - answered) / (end_ns - start_ns) * 1e9
    _pass(writer, _READING_S, answers=1)
    return rate_rps


def _apply_all(plan: LoadPlan, environment: Environment, runner: LocalRunner, writer: SampleWriter) -> None:
    """Apply the further loads of a plan, one after the other."""
    asking = user_class(plan)(environment) if plan.loads else None
    for load in plan.loads:
        assert asking is not None
        match load:
            case Level():
                _hold(runner, writer, load)
                runner.stop()
            case Waves():
                _send_waves(asking, writer, load)
            case Arrivals() | Scheduled():
                if isinstance(load, Scheduled) and load.bodies:
                    type(asking).asked = sending_logged(asking.asked, load.bodies)
                _send_arrivals(asking, writer, load)
            case Pause():
                start_ns = _begin_in_silence(0)
                gevent.sleep(load.pause_s)
                _end(0, start_ns)
        _let_read()


def _send_waves(asking: AskingUser, writer: SampleWriter, waves: Waves) -> None:
    """Send waves of requests. All of a wave have the same scheduled time."""
    writer.users = waves.size
    for _ in range(waves.warmup_count):
        _send_wave(asking, waves)
    start_ns = _begin_in_silence(waves.size)
    for _ in range(waves.count):
        _send_wave(asking, waves)
    _end(waves.size, start_ns)


def _send_wave(asking: AskingUser, waves: Waves) -> None:
    """Send requests at the same moment, and wait until each has its answer or has failed."""
    pool, scheduled_ns = Pool(), time.monotonic_ns()
    for _ in range(waves.size):
        pool.spawn(asking.obtain, scheduled_ns)
    pool.join()
    if waves.every_s:
        with closing(Alarm()) as alarm:
            alarm.wait_until(scheduled_ns + int(waves.every_s * 1e9))


def _send_arrivals(asking: AskingUser, writer: SampleWriter, arrivals: Arrivals | Scheduled) -> None:
    """Send requests at their scheduled times, and wait until each has its answer or has failed.

    What is due in the window is measured, however late the answer comes, unless the load's bounds end it early.
    """
    writer.users, pool, first_ns = 0, Pool(), time.monotonic_ns()
    start_ns = first_ns + int(arrivals.warmup_s * 1e9)
    due_ns = [first_ns + int(at_s * 1e9) for at_s in times_of(arrivals)]
    inside_ns = [at_ns for at_ns in due_ns if at_ns >= start_ns]
    with closing(Alarm()) as alarm:
        _send_when_due(asking, pool, alarm, [at_ns for at_ns in due_ns if at_ns < start_ns])
        alarm.wait_until(start_ns)
        _say("measuring", users=0)
        if isinstance(arrivals, Arrivals) and arrivals.bounds:
            _send_within(asking, pool, alarm, inside_ns, arrivals.bounds)
        else:
            _send_when_due(asking, pool, alarm, inside_ns)
            pool.join()
    _end(0, start_ns)


def _send_when_due(
    asking: AskingUser, pool: Pool, alarm: Alarm, due_ns: Iterable[int], is_over: Callable[[], bool] = lambda: False
) -> None:
    for at_ns in due_ns:
        alarm.wait_until(at_ns)
        if is_over():
            return
        pool.spawn(asking.obtain, at_ns)


def _send_within(asking: AskingUser, pool: Pool, alarm: Alarm, due_ns: Sequence[int], bounds: Sequence[Bound]) -> None:
    """Send requests, and wait for the answers, until a bound is exceeded; what is under way then is given up."""
    watch = BoundsWatch(due_ns, bounds)
    events = asking.environment.events.request
    events.add_listener(watch.on_request)
    try:
        _send_when_due(asking, pool, alarm, due_ns, watch.is_exceeded)
        while len(pool) and not watch.is_exceeded():
            pool.join(timeout=_LOOK_S)
        pool.kill()
    finally:
        events.remove_listener(watch.on_request)


def _begin(users: int) -> int:
    """Announce a measured window and return its start."""
    _say("measuring", users=users)
    return time.monotonic_ns()


def _begin_in_silence(users: int) -> int:
    """Announce a measured window, which begins when the harness has read what it reads before it."""
    _say("measuring", users=users)
    _let_read()
    return time.monotonic_ns()


def _end(users: int, start_ns: int) -> int:
    """Announce the end of a measured window and return it."""
    end_ns = time.monotonic_ns()
    _say("window", users=users, start_ns=start_ns, end_ns=end_ns)
    return end_ns


def _let_read() -> None:
    """Wait until the harness has dealt with all events so far; it may ask the contender for statistics meanwhile."""
    _say("waiting")
    harness = sys.stdin.fileno()
    wait_read(harness)
    os.read(harness, _LINE_BYTES)  # nothing if the harness has gone


def _pass(writer: SampleWriter, at_least_s: float, answers: int) -> None:
    """Wait for a time, and then until enough answers have come, since a slow contender needs longer."""
    wanted = writer.answered + answers
    gevent.sleep(at_least_s)
    until_s = time.monotonic() + _PATIENCE_S
    while writer.answered < wanted and time.monotonic() < until_s:
        gevent.sleep(0.05)


def _flush_forever(writer: SampleWriter, fail: Callable[[OSError], None]) -> None:
    """Write the samples twice a second. If that fails, end the measurement."""
    while True:
        gevent.sleep(_FLUSH_S)
        try:
            writer.flush()
        except OSError as error:
            fail(error)
            return
        _say("tick", users=writer.users)


def _say(event: str, **values: int) -> None:
    print(json.dumps({"event": event, **values}), flush=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    raise_open_files()
    _say("ready")
    if not sys.stdin.readline():
        sys.exit()
    run(LoadPlan.from_json(json.loads(Path(sys.argv[1]).read_text())))
