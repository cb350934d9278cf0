"""`python -m benchmark.load.runner PLAN.json`: headless Locust, climbing closed-loop levels.

Says on standard output, one JSON document per line, what it is doing: `ready`, `window` for a
measured window that has ended (with its bounds on the monotonic clock), `tick` in between. Begins
and reads its plan once it gets a line on standard input, so that it can be started beside what
it will load.
"""

import json
import logging
import signal
import sys
import time
from pathlib import Path

import gevent
from locust.env import Environment
from locust.html import get_html_report
from locust.runners import LocalRunner
from locust.stats import PERCENTILES_TO_REPORT, StatsCSVFileWriter, stats_history

from benchmark.load.plan import Level, LoadPlan
from benchmark.load.samples import SampleWriter
from benchmark.load.users import user_class

_FLUSH_S = 0.5
_STOP_TIMEOUT_S = 5.0
# The fastest that Locust recommends.
_SPAWN_PER_S = 100


class Interrupted(Exception):
    """The harness asked for the end."""


def run(plan: LoadPlan) -> None:
    """Carry out a plan; on SIGTERM or SIGINT stop early, with everything measured so far on disk."""
    environment = Environment(user_classes=[user_class(plan)], stop_timeout=_STOP_TIMEOUT_S)
    runner = environment.create_local_runner()
    writer = SampleWriter(plan.samples)
    environment.events.request.add_listener(writer.on_request)
    gevent.spawn(stats_history, runner)
    csv_writer = StatsCSVFileWriter(environment, PERCENTILES_TO_REPORT, str(plan.locust), full_history=True)
    csv_greenlet = gevent.spawn(csv_writer)
    flusher = gevent.spawn(_flush_forever, writer)
    main_greenlet = gevent.getcurrent()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, lambda: gevent.kill(main_greenlet, Interrupted))
    try:
        for level in plan.levels:
            _hold(runner, writer, level)
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


def _hold(runner: LocalRunner, writer: SampleWriter, level: Level) -> None:
    writer.users = level.users
    runner.start(level.users, spawn_rate=_SPAWN_PER_S)
    if runner.spawning_greenlet:
        runner.spawning_greenlet.join()
    gevent.sleep(level.warmup_s)
    start_ns = time.monotonic_ns()
    gevent.sleep(level.measure_s)
    _say("window", users=level.users, start_ns=start_ns, end_ns=time.monotonic_ns())


def _flush_forever(writer: SampleWriter) -> None:
    while True:
        gevent.sleep(_FLUSH_S)
        writer.flush()
        _say("tick", users=writer.users)


def _say(event: str, **values: int) -> None:
    print(json.dumps({"event": event, **values}), flush=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    _say("ready")
    if not sys.stdin.readline():
        sys.exit()
    run(LoadPlan.from_json(json.loads(Path(sys.argv[1]).read_text())))
