"""A shape in Locust: who sends which request, when it ends, and what is refused before anything starts."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import flask
import pytest

from benchmark.load.protocols import Ask, predict
from benchmark.load.rates import parse_shape

ASKED = Ask(predict, "POST", "/predict", {}, iter(()))
SHAPES = ["40 for 2s", "0 -> 60 in 2s, hold 1s", "20 -> 90 for 1s -> 20", "sine 5 to 60 every 1s for 3s",
          "bursts 10 to 80, 500ms and 300ms, for 3s"]  # fmt: skip


@pytest.fixture(scope="module")
def rate_shape() -> Iterator[ModuleType]:
    """The module, imported without Locust's replacing the sockets and threads of this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")
        yield importlib.import_module("benchmark.load.rate_shape")


@pytest.fixture(scope="module")
def dealt(rate_shape: ModuleType) -> Any:
    return importlib.import_module("benchmark.load.shares").dealt


@pytest.mark.parametrize("places", [1, 2, 3])
@pytest.mark.parametrize("written", SHAPES)
def test_all_processes_together_send_the_requests_of_the_shape_and_each_its_share(
    dealt: Any, written: str, places: int
) -> None:
    shape = parse_shape(written)
    shares = [[at_s for at_s, _ in dealt(shape, ASKED, 5, place, places)] for place in range(places)]
    assert sorted(at_s for share in shares for at_s in share) == shape.arrivals_s(5)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_each_body_of_a_log_is_sent_once_by_one_of_the_processes(dealt: Any, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("time,body\n" + "".join(f"{k / 8},[{k}]\n" for k in range(5)))
    shape = parse_shape(f"replay {log} with bodies")
    sent = [(at_s, asked.request().body) for place in range(2) for at_s, asked in dealt(shape, ASKED, 1, place, 2)]
    assert sorted(sent) == [(k / 8, b"[%d]" % k) for k in range(5)]


@dataclass
class Runner:
    """As much of a runner as a shape needs."""

    environment: Any
    user_count: int = 0
    state: str = "ready"
    shape_greenlet: object = None
    started: list[Any] = field(default_factory=list)

    def start(self, *given: Any) -> None:
        self.started.append(given)

    def start_shape(self) -> None:
        self.shape_greenlet = object()
        self.started.append(self.environment.shape_class.tick())


def environment(rate_shape: ModuleType, shape: str, names: tuple[str, ...] = ("Open",), **options: Any) -> Any:
    from locust.event import Events  # only where Locust is kept from patching

    known = {
        "Open": type("Open", (rate_shape.OpenLoopUser,), {}),
        "Other": type("Other", (rate_shape.OpenLoopUser,), {}),
        "Closed": type("Closed", (rate_shape.User,), {}),
    }
    made = SimpleNamespace(
        parsed_options=SimpleNamespace(shape=shape, **{"headless": True, "autostart": False, **options}),
        user_classes=[known[name] for name in names],
        available_user_classes=known,
        shape_class=None,
        events=Events(),
        web_ui=None,
        host=None,
    )
    made.runner = Runner(made)
    return made


def test_a_shape_is_followed_by_one_user_until_the_last_answer(rate_shape: ModuleType) -> None:
    started = environment(rate_shape, "50 for 2s")
    rate_shape.follow_shape(started)
    started.runner.start(7, 1)
    assert started.runner.started == [(1, 100)]  # users, and how fast they come: not what was asked for
    shape, started.runner.user_count = started.shape_class, 1
    shape.start_time -= 2.5
    assert shape.tick() == (1, 100)
    started.runner.user_count = 0
    assert shape.tick() is None


def test_without_a_shape_locust_starts_as_usual_also_after_a_run_with_one(rate_shape: ModuleType) -> None:
    started = environment(rate_shape, "50 for 2s")
    rate_shape.follow_shape(started)
    started.runner.start(7, 1)
    started.events.test_stop.fire(environment=started)
    started.parsed_options.shape = ""
    started.runner.start(7, 1)
    assert started.runner.started[1:] == [(7, 1)]


@pytest.mark.parametrize(
    ("shape", "names", "said"),
    [
        ("0 -> -5 in 3s", ("Open",), "a rate cannot go below zero"),
        ("replay nowhere.csv", ("Open",), "cannot be read"),
        ("50 for 2s", ("Closed",), "one open-loop class at a time: choose one of Open, Other"),
        ("50 for 2s", ("Open", "Other"), "one open-loop class at a time"),
    ],
)
def test_what_cannot_be_offered_is_refused_in_a_headless_run_and_in_the_web_ui(
    rate_shape: ModuleType, shape: str, names: tuple[str, ...], said: str
) -> None:
    headless = environment(rate_shape, shape, names)
    with pytest.raises(SystemExit, match=said):
        rate_shape.follow_shape(headless)
    app = flask.Flask(__name__)
    app.add_url_rule("/swarm", "swarm", lambda: "started", methods=["POST"])
    at_page = environment(rate_shape, "", headless=False)
    at_page.web_ui = SimpleNamespace(app=app)
    rate_shape.follow_shape(at_page)
    answer = app.test_client().post("/swarm", data={"shape": shape, "user_classes": list(names)})
    assert not answer.get_json()["success"]
    assert said in answer.get_json()["message"]
    assert app.test_client().post("/swarm", data={"shape": "", "user_classes": list(names)}).text == "started"


def test_a_shape_is_not_begun_within_a_run(rate_shape: ModuleType) -> None:
    app = flask.Flask(__name__)
    app.add_url_rule("/swarm", "swarm", lambda: "started", methods=["POST"])
    at_page = environment(rate_shape, "", headless=False)
    at_page.web_ui, at_page.runner.state = SimpleNamespace(app=app), "running"
    rate_shape.follow_shape(at_page)
    ask = app.test_client().post
    assert "stop this one first" in ask("/swarm", data={"shape": "50 for 2s"}).get_json()["message"]
    assert ask("/swarm", data={"shape": ""}).text == "started"  # more users, as usual
    at_page.parsed_options.shape = "50 for 2s"
    at_page.runner.start(1, 1)
    assert "a shape is being followed" in ask("/swarm", data={"shape": ""}).get_json()["message"]


def test_an_example_has_a_shape_of_its_own(rate_shape: ModuleType) -> None:
    with_example = environment(rate_shape, "50 for 2s")
    with_example.shape_class = object()
    with pytest.raises(SystemExit, match="has a shape of its own"):
        rate_shape.follow_shape(with_example)
