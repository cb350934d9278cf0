"""A normal Locust file: a user class per contender, in a closed and in an open loop.

    locust -f benchmark/load/locustfile.py --class-picker        # web UI on port 8089; ticks one class
    locust -f benchmark/load/locustfile.py --headless -u 20 -r 5 -t 30s Async
    locust -f benchmark/load/locustfile.py --headless --shape '0 -> 12000/min in 1min, hold 1min' AsyncOpenLoop
    EXAMPLE=load-test locust -f benchmark/load/locustfile.py --headless Async

Without further settings there is one class for each contender that `make up` starts, asking it on
its usual port. Environment:

    HOST_URL     in place of http://127.0.0.1:{port}; {name} is the contender's name
    CONTENDERS   names separated by commas, in place of those
    EXAMPLE      response-time, load-test, max-performance or stress-test: a load shape; `all` for the picker
    USERS, USERS_PER_S, DURATION_S    of the example, in place of its own
    SCALE        0.1 shortens its times to a tenth
    ANSWER_BOUNDS_S    between which a right answer lies, such as 0.04,0.05; by default what the contender's row says
    PACING_S     seconds from one request of a closed-loop user to the next (1); 0 to ask again at once
    SHAPE        the same as --shape: the rate of an open-loop class over time (benchmark/load/rates.py has the grammar)
    SEED         of requests and schedules (1)
    OPEN_RPS     requests per second of an open-loop class, all its users on all workers together (10)
    OPEN_USERS   their number, on all workers together (1); the rate is shared out among them
    BENCHMARK_SAMPLES    file for raw samples, one row per answer; a worker adds its number
    BENCHMARK_ISSUING    file that says, as JSON, when users were told to stop: `stopped_ns` on the monotonic clock

SIGUSR1 ends a headless run before its time, as if that were over.
"""

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
from locust import LoadTestShape, User, events
from locust.env import Environment
from locust.rpc import Message
from locust.runners import MasterRunner, WorkerRunner

from benchmark.contenders.answer_law import law_of
from benchmark.contenders.discovery import Contender, choose, discover
from benchmark.errors import LoadError
from benchmark.load.base_url import base_url
from benchmark.load.rate_shape import add_option, follow_shape
from benchmark.load.samples import SampleWriter
from benchmark.load.scenario_requests import ask_of
from benchmark.load.shapes import END_SIGNAL, EXAMPLES, PACING_S, SPAWN_PER_S, Example
from benchmark.load.users import OpenLoopUser, PacedUser
from benchmark.scenarios.discovery import scenario_of
from benchmark.stack.background import served
from benchmark.stack.processes import RECEIVER_ROLE
from contract.garbage_collection import freeze_startup_objects
from contract.limits import raise_open_files
from contract.secrets import masked

STOP_TIMEOUT_S = 15
_REPORT_S = 5
_FLUSH_S = 0.25


def make_users() -> dict[str, type[User]]:
    """Return the user classes by name: Async, AsyncOpenLoop, ..."""
    known = discover()
    names = [name for name in os.environ.get("CONTENDERS", "").split(",") if name]
    classes: dict[str, type[User]] = {}
    for contender in choose(names, known) if names else served(known.values()):
        name = "".join(part.capitalize() for part in contender.name.split("-"))
        classes[name] = type(name, (PacedUser,), _attributes(contender, "closed loop"))
        classes[f"{name}OpenLoop"] = type(f"{name}OpenLoop", (OpenLoopUser,), _attributes(contender, "open loop"))
    return classes


def _attributes(contender: Contender, loop: str) -> dict[str, Any]:
    seed, stage_clock = int(os.environ.get("SEED", "1")), os.environ.get("STAGE_CLOCK", "1") == "1"
    scenario, bounds_s = scenario_of(contender), _bounds_s(contender)
    port = next(process.port for process in contender.process if process.role == "scoring")
    receivers = [process.port for process in contender.process if process.role == RECEIVER_ROLE]
    receiver = f"http://127.0.0.1:{receivers[0]}" if receivers else ""
    asked = ask_of(scenario, contender.endpoint, seed, bounds_s, stage_clock=stage_clock, receiver=receiver)
    return {
        "host": _host(contender, port),
        "asked": asked,
        "row": f"{asked.path} ({contender.name}, {loop})",
        "seed": seed,
        "pacing_s": float(os.environ.get("PACING_S", PACING_S)),
        "rate_rps": float(os.environ.get("OPEN_RPS", "10")) / float(os.environ.get("OPEN_USERS", "1")),
    }


def _host(contender: Contender, port: int) -> str:
    """Return the base URL of a contender. Ends the program with a sentence if HOST_URL is none."""
    given = os.environ.get("HOST_URL") or "http://127.0.0.1:{port}"
    try:
        return base_url(given.format(name=contender.name, port=port), "HOST_URL", contender.endpoint)
    except (KeyError, IndexError, ValueError):
        raise SystemExit(f"HOST_URL is {masked(given)!r}, expected no braces but {{name}} and {{port}}") from None
    except LoadError as error:
        raise SystemExit(str(error)) from None


def check_host(environment: Environment, **_: Any) -> None:
    """Clean what `--host` names, before it takes the place of every class's own. Ends the program if it is no URL."""
    if not environment.host:
        return
    try:
        environment.host = base_url(environment.host, "--host")
    except LoadError as error:
        raise SystemExit(str(error)) from None


def _bounds_s(contender: Contender) -> tuple[float, float]:
    told = os.environ.get("ANSWER_BOUNDS_S")
    if not told:
        return law_of(contender).bounds_s
    low_s, high_s = map(float, told.split(","))
    return low_s, high_s


def make_shapes() -> dict[str, type[LoadTestShape]]:
    """Return the load shapes that EXAMPLE asks for; none without it, so that --users and the web UI decide."""
    wanted = os.environ.get("EXAMPLE")
    if not wanted:
        return {}
    if wanted != "all" and wanted not in EXAMPLES:
        raise SystemExit(f"EXAMPLE is {wanted!r}, expected all or one of {', '.join(EXAMPLES)}")
    chosen = EXAMPLES.values() if wanted == "all" else [_adjusted(EXAMPLES[wanted])]
    return {_shape_name(example): _shape(example) for example in chosen}


def _adjusted(example: Example) -> Example:
    example = example.scaled(float(os.environ.get("SCALE", "1")))
    return replace(
        example,
        users=int(os.environ.get("USERS", example.users)),
        users_per_s=float(os.environ.get("USERS_PER_S", example.users_per_s)),
        duration_s=float(os.environ.get("DURATION_S", example.duration_s)),
    )


def _shape_name(example: Example) -> str:
    return "".join(part.capitalize() for part in example.name.split("-"))


def _shape(example: Example) -> type[LoadTestShape]:
    def tick(self: LoadTestShape) -> tuple[int, float] | None:
        t_s = self.get_run_time()
        return None if t_s > example.duration_s else (example.users_at(t_s), SPAWN_PER_S)

    return type(_shape_name(example), (LoadTestShape,), {"tick": tick, "__doc__": example.title})


def record_samples(environment: Environment, **_: Any) -> None:
    """Write every request to BENCHMARK_SAMPLES, if that is set; on a master there are none."""
    target = os.environ.get("BENCHMARK_SAMPLES")
    if not target or isinstance(environment.runner, MasterRunner):
        return
    path = Path(target)
    if isinstance(environment.runner, WorkerRunner):
        path = path.with_suffix(f".{environment.runner.worker_index}.csv")
    writer = SampleWriter(path)
    environment.events.request.add_listener(writer.on_request)

    def keep_flushing() -> None:
        while True:
            writer.users = environment.runner.user_count if environment.runner else 0
            writer.flush()
            gevent.sleep(_FLUSH_S)

    flusher = gevent.spawn(keep_flushing)

    def finish(**_: Any) -> None:
        flusher.kill()
        writer.close()

    environment.events.quitting.add_listener(finish)


def note_end_of_issuing(**_: Any) -> None:
    """Note in BENCHMARK_ISSUING, if that is set, when users are told to stop: up to then the load is as planned."""
    target = os.environ.get("BENCHMARK_ISSUING")
    if target and not Path(target).exists():  # Locust may stop twice, the second time while users still end
        Path(target).write_text(json.dumps({"stopped_ns": time.monotonic_ns()}) + "\n")


def let_requests_end(environment: Environment, **_: Any) -> None:
    """Give requests in flight time to end when the users are stopped; Locust by itself gives none."""
    environment.stop_timeout = environment.stop_timeout or STOP_TIMEOUT_S


def await_last_reports(environment: Environment, **_: Any) -> None:
    """Have a master wait until its workers have reported and gone; Locust's own waits half a second."""
    runner = environment.runner
    if not isinstance(runner, MasterRunner):
        return
    quit_soon = runner.quit

    def quit_when_all_have_reported() -> None:
        runner.stop(send_stop_to_client=False)
        for client in runner.clients.all:
            runner.server.send_to_client(Message("quit", None, client.id))
        until_s = time.monotonic() + STOP_TIMEOUT_S + _REPORT_S
        while runner.clients.all and time.monotonic() < until_s:
            gevent.sleep(0.1)
        quit_soon()

    runner.quit = quit_when_all_have_reported  # type: ignore[method-assign]


def start_schedules_anew(environment: Environment, **_: Any) -> None:
    """Let a second swarm of the same process, as from the web UI, follow the same schedules as the first."""
    for users in environment.user_classes:
        if issubclass(users, OpenLoopUser):
            users.count = 0


def tick_one_class(environment: Environment, **_: Any) -> None:
    """Have the class picker tick what the command line names, or else one class in place of all.

    That is the first closed loop, or with a shape the first open loop. Its page lists the `users` that it is given,
    and ticks those in `available_user_classes`.
    """
    page, options = environment.web_ui, environment.parsed_options
    if not page:
        return
    with_shape = bool(options and getattr(options, "shape", ""))
    usual = next(name for name, users in USERS.items() if issubclass(users, OpenLoopUser) == with_shape)
    ticked = list((options and options.user_classes) or [usual])
    fill = page.update_template_args

    def fill_and_tick() -> None:
        fill()  # type: ignore[no-untyped-call]
        page.template_args["available_user_classes"] = ticked

    page.update_template_args = fill_and_tick  # type: ignore[method-assign]


def end_on_signal(environment: Environment, **_: Any) -> None:
    """Let a run be ended before its time as if the time were over: every file is written, the exit status is 0.

    Ctrl-C would do, but a process that was started in the background of a script ignores it.
    """
    options = environment.parsed_options
    if environment.runner and options and options.headless:
        gevent.signal_handler(END_SIGNAL, environment.runner.quit)


def keep_garbage_collection_short(**_: Any) -> None:
    """Set aside what Locust has loaded: while all of it is looked through, no user asks on time."""
    freeze_startup_objects()


raise_open_files()
events.init_command_line_parser.add_listener(add_option)
events.init.add_listener(check_host)
events.init.add_listener(record_samples)
events.init.add_listener(end_on_signal)
events.init.add_listener(keep_garbage_collection_short)
events.init.add_listener(let_requests_end)
events.init.add_listener(await_last_reports)
events.init.add_listener(tick_one_class)
events.init.add_listener(follow_shape)
events.test_start.add_listener(start_schedules_anew)
events.test_stopping.add_listener(note_end_of_issuing)
USERS = make_users()
globals().update(USERS)
globals().update(make_shapes())
