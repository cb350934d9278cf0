"""The slides in a browser: each fits, keys turn them, a phone can read them, and paper gets one on each page."""

import re
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page

from doc.talk import render
from tests.browser.conftest import Seen

pytestmark = pytest.mark.browser

SLIDES = 15


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("talk") / "talk.html"
    path.write_text(render.page(render.markdown(render.values())))
    return path.as_uri()


def opened(page: Page, talk: str, width: int, height: int) -> Page:
    page.set_viewport_size({"width": width, "height": height})
    page.goto(talk)
    return page


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1280, 800), (1920, 1080), (1024, 768)])
def test_every_slide_fits_its_window(page: Page, talk: str, width: int, height: int) -> None:
    opened(page, talk, width, height)
    sizes = page.eval_on_selector_all(
        "section",
        "all => all.map(one => [one.id, one.offsetWidth, one.scrollWidth, one.offsetHeight, one.scrollHeight])",
    )
    assert len(sizes) == SLIDES
    assert [row for row in sizes if row[2] > row[1] or max(row[3:]) > height] == []


@pytest.mark.parametrize("media", ["screen", "print"])
def test_nothing_on_a_slide_sticks_out_of_it(page: Page, talk: str, media: Literal["screen", "print"]) -> None:
    page.emulate_media(media=media)
    opened(page, talk, 1280, 720)
    outside = page.eval_on_selector_all(
        "section",
        """all => all.flatMap(one => {
            const frame = one.getBoundingClientRect();
            return [...one.querySelectorAll(".content *")]
                .map(each => [one.id, each.tagName, each.getBoundingClientRect()])
                .filter(([, , box]) => box.width && (box.left < frame.left || box.right > frame.right + 0.5
                    || box.top < frame.top || box.bottom > frame.bottom + 0.5))
                .map(([id, tag]) => `${id} ${tag}`);
        })""",
    )
    assert outside == []


def test_a_phone_needs_no_scrolling_sideways_and_reads_no_small_print(page: Page, talk: str) -> None:
    opened(page, talk, 390, 844)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    smallest = page.eval_on_selector_all(
        ".content *", "all => Math.min(...all.map(each => parseFloat(getComputedStyle(each).fontSize)))"
    )
    assert smallest >= 11


def test_keys_turn_the_slides(page: Page, talk: str) -> None:
    opened(page, talk, 1280, 720)
    met = []
    for key in ("ArrowRight", "ArrowDown", "PageDown", "Space", "ArrowLeft", "End", "ArrowRight", "Home", "ArrowUp"):
        page.keyboard.press(key)
        met.append(page.evaluate("location.hash"))
        assert page.evaluate("document.querySelector(location.hash).getBoundingClientRect().top") == 0
    numbers = [int(re.sub(r"\D", "", each)) for each in met]
    assert numbers == [2, 3, 4, 5, 4, SLIDES, SLIDES, 1, 1]


def test_notes_are_hidden_until_they_are_asked_for(page: Page, talk: str) -> None:
    opened(page, talk, 1280, 720)
    note = page.locator("#slide-1 .notes p").first
    assert not note.is_visible()
    page.keyboard.press("n")
    assert note.is_visible()
    page.keyboard.press("n")
    assert not note.is_visible()


def test_paper_gets_one_slide_on_each_page(page: Page, talk: str) -> None:
    opened(page, talk, 1280, 720)
    document = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", document)) == SLIDES


def test_nothing_is_asked_of_the_network_and_nothing_fails(page: Page, talk: str, seen: Seen) -> None:
    opened(page, talk, 1280, 720)
    assert {url for url in seen.urls if not url.startswith("data:")} == {talk}
    assert seen.errors == []
