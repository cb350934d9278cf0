"""A shape of benchmark.load.rates for Locust: its web UI and its headless runs, on one process or on several.

`--shape` (or SHAPE, or the field of the web UI) gives an open-loop class the arrivals of a shape in place of a constant
rate. Every process of Locust gets one user, and they deal the arrivals out among themselves: together they are those
that `promise` offers for the same seed, none twice and none left out.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from flask import Response, jsonify, request
from locust import LoadTestShape, User
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import STATE_RUNNING, STATE_SPAWNING, MasterRunner, WorkerRunner

from benchmark.errors import ShapeError
from benchmark.load.rates import RateShape, parse_shape
from benchmark.load.shapes import SPAWN_PER_S
from benchmark.load.shares import PLACES
from benchmark.load.users import OpenLoopUser

_LAST_ANSWERS_S: Final = 60.0  # for which the last answers are waited for after the end of a shape


def add_option(parser: LocustArgumentParser, **_: Any) -> None:
    """Add `--shape`, which the web UI shows as a field, too."""
    parser.add_argument(
        "--shape",
        env_var="SHAPE",
        default="",
        help="rate of an open-loop class over time, such as 0 -> 12000/min in 1min, hold 1min; empty: constant",
    )


class FollowShape(LoadTestShape):
    """One user per process, from whom the requests of a shape come; it ends with the last answer."""

    abstract = True  # not to be found in the Locust file: it is made for a shape

    def __init__(self, shape: RateShape, processes: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._shape, self._processes = shape, processes

    def tick(self) -> tuple[int, float] | None:
        beyond_s = time.perf_counter() - self.start_time - self._shape.seconds
        # A user ends by itself, when the last of its requests is answered.
        is_over = beyond_s > 0 and (not (self.runner and self.runner.user_count) or beyond_s > _LAST_ANSWERS_S)
        return None if is_over else (self._processes, SPAWN_PER_S)


def follow_shape(environment: Environment, **_: Any) -> None:
    """Have the runner follow the shape of the options whenever it is started. Ends the program if it cannot."""
    runner, options = environment.runner, environment.parsed_options
    if runner is None or options is None or isinstance(runner, WorkerRunner):
        return
    # Which classes ask can still be chosen in the web UI.
    classes = environment.user_classes if options.headless or options.autostart else None
    if options.shape and (why_not := _why_not(environment, options.shape, classes)):
        raise SystemExit(f"--shape: {why_not}")
    start = runner.start

    def start_shape_or(*args: Any, **kwargs: Any) -> None:
        if options.shape and environment.shape_class is None:
            places = _processes(environment)
            setattr(options, PLACES, places)
            environment.shape_class = FollowShape(parse_shape(options.shape), len(places))
            environment.shape_class.runner = runner
            runner.start_shape()
        else:
            start(*args, **kwargs)

    def let_go(**_: Any) -> None:
        if isinstance(environment.shape_class, FollowShape):
            environment.shape_class = None  # the next run may have another, or none

    environment.events.test_stop.add_listener(let_go)
    runner.start = start_shape_or  # type: ignore[method-assign]
    if environment.web_ui and environment.web_ui.app:
        environment.web_ui.app.before_request(lambda: _refuse(environment))


def _processes(environment: Environment) -> list[str]:
    """Return the names of the processes that send requests."""
    runner = environment.runner
    if not isinstance(runner, MasterRunner):
        return [""]
    return sorted(client.id for client in (*runner.clients.ready, *runner.clients.running, *runner.clients.spawning))


def _why_not(environment: Environment, written: str, classes: Sequence[type[User]] | None) -> str:
    """Return why a shape cannot be offered, by these classes if they are chosen; an empty text if it can."""
    try:
        parse_shape(written)
    except ShapeError as error:
        return str(error)
    if environment.shape_class is not None and not isinstance(environment.shape_class, FollowShape):
        return "an example (EXAMPLE) has a shape of its own: choose one of the two"
    if classes is not None and (len(classes) != 1 or not issubclass(classes[0], OpenLoopUser)):
        known = {**_available(environment), **{each.__name__: each for each in classes}}
        names = ", ".join(name for name, each in known.items() if issubclass(each, OpenLoopUser))
        return f"a shape is offered to one open-loop class at a time: choose one of {names}"
    return ""


def _available(environment: Environment) -> Mapping[str, type[User]]:
    """Return the classes of the Locust file by name; Locust's own type says instances."""
    return cast("Mapping[str, type[User]]", environment.available_user_classes or {})


def _refuse(environment: Environment) -> Response | None:
    """Answer a request of the web UI to start what cannot be started; otherwise Locust answers it."""
    if not str(request.endpoint).endswith("swarm"):
        return None
    why_not, written = "", request.form.get("shape", "").strip()
    if isinstance(environment.shape_class, FollowShape) and environment.runner and environment.runner.shape_greenlet:
        why_not = "a shape is being followed: stop it first"
    elif written and environment.runner and environment.runner.state in (STATE_SPAWNING, STATE_RUNNING):
        why_not = "a shape begins with a run of its own: stop this one first"
    elif written and (named := request.form.get("shape_class", "Default")) != "Default":
        why_not = f"the load shape {named} has a shape of its own: choose one of the two"
    elif written:
        known = _available(environment)
        ticked = [known[name] for name in request.form.getlist("user_classes") if name in known]
        why_not = _why_not(environment, written, ticked or environment.user_classes)
    return jsonify({"success": False, "message": why_not, "host": environment.host}) if why_not else None
