"""Every kind of page in a browser: accessible in light and dark, no wider than a phone, readable on paper."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page

from benchmark.experiments import experiment as experiments
from benchmark.experiments.bench.page import write_bench_report
from benchmark.experiments.index import write_joined_report
from benchmark.experiments.registry import REGISTRY
from benchmark.monitor.page import write as write_watch
from benchmark.monitor.summary import seen_of
from tests.browser.conftest import Seen
from tests.unit.benchmark.conftest import make_run
from tests.unit.benchmark.experiments.recorders import RECORDERS
from tests.unit.benchmark.monitor.watched import BAD, LOAD, WATCH

pytestmark = pytest.mark.browser

KINDS = [*(row.name for row in REGISTRY), "bench, INVALID in part", "index", "monitor"]
Scheme = Literal["light", "dark"]
DESK, PHONE = (1280, 800), (390, 844)
# What a rule says depends on the colours in one of them alone.
RULES = {
    "light": {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}},
    "dark": {"runOnly": {"type": "rule", "values": ["color-contrast"]}},
}
OPEN_ALL = "document.querySelectorAll('details').forEach(each => { each.open = true; })"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """A page of every kind, by its name."""
    results = tmp_path_factory.mktemp("results")
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiments, "card_files", lambda *_: {})  # no page shows them
        for name, recorder in RECORDERS.items():
            found[name] = recorder.record(results, patch, "whole").path / "report.html"
    run = make_run(tmp_path_factory.mktemp("invalid"), "invalid_contender")
    found["bench, INVALID in part"] = write_bench_report(run)
    found["index"] = write_joined_report(results)
    found["monitor"] = write_watch(tmp_path_factory.mktemp("watch"), WATCH, BAD, seen_of(WATCH, BAD), LOAD)
    yield found
    shutil.rmtree(results)


def opened(page: Page, path: Path, size: tuple[int, int] = DESK, all_details: bool = True) -> Page:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(path.as_uri())
    if all_details:
        page.evaluate(OPEN_ALL)
    return page


def violations(page: Page, scheme: Scheme) -> list[str]:
    page.emulate_media(color_scheme=scheme)
    found = Axe().run(page, options=RULES[scheme]).response["violations"]
    return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]


@pytest.mark.parametrize("kind", KINDS)
def test_no_rule_of_level_a_or_aa_is_violated(pages: dict[str, Path], page: Page, kind: str) -> None:
    opened(page, pages[kind])
    assert violations(page, "light") == []
    assert violations(page, "dark") == []


def test_a_violation_is_seen(page: Page) -> None:
    """The control of the test above."""
    page.set_content('<html lang="en"><title>a</title><p style="color: #bbb">pale</p><img src="data:,"></html>')
    assert {each.partition(":")[0] for each in violations(page, "light")} == {"color-contrast", "image-alt"}
    assert {each.partition(":")[0] for each in violations(page, "dark")} == {"color-contrast"}


@pytest.mark.parametrize("kind", KINDS)
def test_no_page_is_wider_than_a_phone_nor_asks_anybody(
    pages: dict[str, Path], page: Page, seen: Seen, kind: str
) -> None:
    opened(page, pages[kind], PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    assert not seen.hosts - {"", None}  # files have no host
    assert seen.errors == []


@pytest.mark.parametrize("kind", KINDS)
def test_on_paper_everything_is_open_and_nothing_scrolls(pages: dict[str, Path], page: Page, kind: str) -> None:
    page.emulate_media(media="print")
    opened(page, pages[kind], (980, 1300), all_details=False)
    shown = "x => x.checkVisibility() || x.closest('.data, .narrow')"  # the latter stay off the paper
    hidden = f"each => [...each.querySelectorAll('details *')].filter(x => !({shown})(x)).length"
    assert page.locator("body").evaluate(hidden) == 0
    assert page.pdf().startswith(b"%PDF")


@pytest.mark.parametrize("size", [DESK, PHONE])
@pytest.mark.parametrize("kind", ["bench", "bench, INVALID in part", "index"])
def test_the_first_screen_shows_question_answer_state_and_the_upper_part_of_the_picture(
    pages: dict[str, Path], page: Page, kind: str, size: tuple[int, int]
) -> None:
    opened(page, pages[kind], size, all_details=False)
    for whole in ("h1", ".answers", ".badge"):
        assert bottom_px(page.locator(whole).first) <= size[1], whole
    assert top_px(page.locator(".drawing svg").first) < size[1] - 100


@pytest.mark.parametrize("size", [DESK, PHONE])
def test_the_data_of_a_chart_can_be_downloaded(pages: dict[str, Path], page: Page, size: tuple[int, int]) -> None:
    opened(page, pages["bench"], size)
    with page.expect_download() as started:
        page.locator("a[download='throughput.csv']").click()
    assert started.value.suggested_filename == "throughput.csv"
    assert started.value.path().read_text().startswith("figure,name,users,")


def test_a_point_says_its_value_without_a_script(pages: dict[str, Path], page: Page) -> None:
    opened(page, pages["bench"])
    said = page.locator("#throughput svg title").all_text_contents()
    assert any(text.startswith("one at 4: ") and "requests/s" in text for text in said)
    assert page.locator("script").count() == 0


def bottom_px(element: Locator) -> float:
    box = element.bounding_box()
    assert box is not None
    return box["y"] + box["height"]


def top_px(element: Locator) -> float:
    box = element.bounding_box()
    assert box is not None
    return box["y"]


@pytest.mark.parametrize("kind", ["bench", "index"])
def test_a_script_that_a_record_brings_along_would_not_run(pages: dict[str, Path], page: Page, kind: str) -> None:
    opened(page, pages[kind]).evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(script);
        }"""
    )
    assert page.evaluate("window.ran") is None
