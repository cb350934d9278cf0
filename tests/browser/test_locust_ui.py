"""Locust's web UI on our Locust file: a swarm started from a browser is served, and its charts fill."""

import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from benchmark.contenders.discovery import ROOT
from benchmark.measure.locust_process import LOCUSTFILE, class_name
from benchmark.stack.processes import HOST, free_port, log_tail, start_process, stop_processes
from benchmark.stack.watchdog import Guard
from tests.browser.conftest import Seen
from tests.conftest import Stacks

pytestmark = pytest.mark.browser

CONTENDER = "async-aiohttp"
WAIT_MS = 30_000
# Whether a chart has a line in the upper half of its data area: the grid is grey, lines have a colour.
HAS_LINE = """canvas => {
    const ratio = canvas.width / canvas.clientWidth, top = Math.round(50 * ratio), rows = Math.round(75 * ratio);
    const {data} = canvas.getContext("2d").getImageData(0, top, Math.round(0.9 * canvas.width), rows);
    let coloured = 0;
    for (let i = 0; i < data.length; i += 4) {
        const [r, g, b, alpha] = data.slice(i, i + 4);
        coloured += alpha > 0 && Math.max(r, g, b) - Math.min(r, g, b) > 60;
    }
    return coloured > 20;
}"""


@pytest.fixture(scope="module")
def ui(stacks: Stacks, guard: Guard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the web UI, with the class picker, as `make locust-ui` starts it."""
    stack, port = stacks.get(CONTENDER), free_port()
    argv = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--class-picker"]
    argv += ["--web-host", HOST, "--web-port", str(port)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "CONTENDERS": CONTENDER, "HOST_URL": stack.base_url}
    log = tmp_path_factory.mktemp("locust") / "log"
    process = start_process(argv, log, guard, {**env, "PACING_S": "0.2"})
    try:
        url = f"http://{HOST}:{port}/"
        _await(url, log)
        yield url
    finally:
        stop_processes([process], guard)


def _await(url: str, log: Path) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"the web UI did not start; its log ends:\n{log_tail(log)}")


def row_of(page: Page, name: str) -> Locator:
    """Return the row of a class in the picker."""
    return page.get_by_role("row").filter(has=page.get_by_role("cell", name=name, exact=True))


def start_swarm(page: Page, users: int, also: str = "") -> None:
    """Fill in the form, pick what is picked already, and another class, and start."""
    if also:
        row_of(page, also).get_by_role("checkbox").check()
    page.locator("input[name=userCount]").fill(str(users))
    page.locator("input[name=spawnRate]").fill(str(users))
    page.get_by_role("button", name="Start").click()


def numbers(row: Locator) -> list[float]:
    """Return requests and failures in a row of the statistics."""
    return [float(cell) for cell in row.get_by_role("cell").all_inner_texts()[2:4]]


def test_a_swarm_started_in_the_browser_is_served_and_its_charts_fill(page: Page, seen: Seen, ui: str) -> None:
    page.goto(ui)
    start_swarm(page, users=5)
    expect(page.get_by_text("Running")).to_be_visible(timeout=WAIT_MS)
    row = page.get_by_role("row").filter(has_text="/predict")
    expect(row.get_by_role("cell").nth(2)).not_to_have_text("0", timeout=WAIT_MS)

    page.get_by_role("tab", name="Charts").click()
    charts = page.locator("canvas")
    expect(charts).to_have_count(3)
    for chart in charts.all():  # rate, response times, users
        page.wait_for_function(HAS_LINE, arg=chart.element_handle(), timeout=WAIT_MS)

    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped")).to_be_visible(timeout=WAIT_MS)
    page.get_by_role("tab", name="Statistics").click()
    requests, failures = numbers(row)
    assert requests > 0
    assert failures == 0
    assert seen.errors == []
    assert seen.hosts == {HOST}


def open_form(page: Page, ui: str) -> None:
    page.goto(ui)
    if page.get_by_role("button", name="New").count():
        page.get_by_role("button", name="New").click()


def test_the_picker_offers_both_loops_of_a_contender_and_ticks_the_closed_one(page: Page, ui: str) -> None:
    open_form(page, ui)
    for name, is_ticked in ((class_name(CONTENDER), True), (class_name(CONTENDER, open_loop=True), False)):
        expect(row_of(page, name).get_by_role("checkbox")).to_be_checked(checked=is_ticked)


def test_closed_and_open_loop_have_rows_of_their_own(page: Page, ui: str) -> None:
    open_form(page, ui)
    start_swarm(page, users=2, also=class_name(CONTENDER, open_loop=True))
    for loop in ("closed loop", "open loop"):
        row = page.get_by_role("row").filter(has_text=f"({CONTENDER}, {loop})")
        expect(row.get_by_role("cell").nth(2)).not_to_have_text("0", timeout=WAIT_MS)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped")).to_be_visible(timeout=WAIT_MS)


@pytest.mark.parametrize(("colour", "expected"), [("#ddd", False), ("#0c6", True)])
def test_a_chart_without_a_line_is_seen_as_empty(page: Page, colour: str, expected: bool) -> None:
    """The control of the first test."""
    page.set_content('<canvas width="400" height="300"></canvas>')
    page.evaluate(
        "colour => { const c = document.querySelector('canvas').getContext('2d'); "
        "c.strokeStyle = colour; c.moveTo(0, 60); c.lineTo(400, 110); c.stroke(); }",
        colour,
    )
    assert page.locator("canvas").evaluate(HAS_LINE) is expected
