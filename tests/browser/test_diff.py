"""The page of `make diff HTML=1` in a browser: both sides beside each other, and on a phone one below the other."""

from pathlib import Path

import pytest
from playwright.sync_api import FloatRect, Page

from doc import diff
from tests.browser.conftest import Seen

pytestmark = pytest.mark.browser

CHANGED = "tr:has(.sync):has(.async)"


@pytest.fixture
def opened(page: Page, tmp_path: Path) -> Page:
    (tmp_path / "diff.html").write_text(diff.page(diff.pairs()))
    page.goto((tmp_path / "diff.html").as_uri())
    return page


def places(page: Page) -> tuple[FloatRect, FloatRect]:
    """Return where both sides of the first line that differs are."""
    row = page.locator(CHANGED).first
    left, right = row.locator(".sync").bounding_box(), row.locator(".async").bounding_box()
    assert left
    assert right
    return left, right


def test_on_a_desk_both_sides_stand_beside_each_other(opened: Page) -> None:
    opened.set_viewport_size({"width": 1280, "height": 800})
    left, right = places(opened)
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"] + 1
    assert opened.locator(CHANGED).first.is_visible()
    assert left["y"] < 800


def test_on_a_phone_they_stand_one_below_the_other_and_nothing_is_cut_off(opened: Page, seen: Seen) -> None:
    opened.set_viewport_size({"width": 390, "height": 844})
    left, right = places(opened)
    assert left["x"] == right["x"]
    assert left["y"] + left["height"] <= right["y"] + 1
    assert opened.evaluate("document.documentElement.scrollWidth") == 390
    assert seen.errors == []


def test_what_both_have_is_shown_once_on_a_phone(opened: Page) -> None:
    opened.set_viewport_size({"width": 390, "height": 844})
    cells = opened.locator("tr.same").first.locator("td")
    assert [cells.nth(i).is_visible() for i in range(2)] == [True, False]
