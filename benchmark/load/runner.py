"""`python -m benchmark.load.runner PLAN.json`: runs headless Locust through ascending closed-loop levels.

Writes events to standard output, one JSON document per line: `ready`, `window` at the end of a measured window (with
its bounds on the monotonic clock), `tick` in between. Waits for a line on standard input before it reads its plan, so
that it can load its modules while the contender starts.
"""

import json
import logging
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import gevent
from locust.env import Environment
from locust.html import get_html_report
from locust.runners import LocalRunner
from locust.stats import PERCENTILES_TO_REPORT, StatsCSVFileWriter, stats_history

from benchmark.load.peak import CLIMB_GROWTH, grows
from benchmark.load.plan import Level, LoadPlan
from benchmark.load.samples import SampleWriter
from benchmark.load.users import user_class
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
    start_ns, answered = time.monotonic_ns(), writer.answered
    _pass(writer, level.measure_s, answers=_MEASURED_ROUNDS * level.users)
    end_ns = time.monotonic_ns()
    rate_rps = (writer.answered - answered) / (end_ns - start_ns) * 1e9
    _say("window", users=level.users, start_ns=start_ns, end_ns=end_ns)
    _pass(writer, _READING_S, answers=1)
    return rate_rps


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
