"""The diagrams show the flow of the code, to scale, and everything on them can be read."""

import xml.etree.ElementTree as ET

import pytest
from pydantic import ValidationError

from benchmark.report.charts.chart import text_px
from contract.model import latency_floor_ms
from contract.settings import make_settings
from doc.diagrams.draw import NAMES, WIDTH, Flow, draw, lay_out, read

SVG = "{http://www.w3.org/2000/svg}"
PX_PER_MS = 2.0


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("one-after-the-other", ["1", "2", "3", "4", "5"]),
        ("at-once-threads", ["1", "2", "3a", "3b", "4"]),
        ("at-once-event-loop", ["1", "2", "3a", "3b", "4"]),
    ],
)
def test_the_steps_are_numbered_as_they_happen(name: str, numbers: list[str]) -> None:
    flow = read(name)
    assert [step.number for step in flow.step] == numbers
    drawn = [text.text for text in ET.fromstring(draw(name)).iter(f"{SVG}text") if text.get("class") == "number"]
    assert drawn == numbers
    heights = [arrow.y for arrow in lay_out(flow).arrows]
    assert heights == sorted(heights)


def bars(name: str) -> list[tuple[float, float]]:
    return [arrow.bar for arrow in lay_out(read(name)).arrows if arrow.bar]


def test_one_after_the_other_the_second_model_starts_when_the_first_has_ended() -> None:
    (first, second) = bars("one-after-the-other")
    assert first[1] <= second[0]
    drawn_ms = sum(bottom - top for top, bottom in (first, second)) / PX_PER_MS
    assert drawn_ms == pytest.approx(latency_floor_ms(make_settings(), "sum"), abs=0.01)


@pytest.mark.parametrize("name", ["at-once-threads", "at-once-event-loop"])
def test_at_once_both_start_together_and_the_slower_one_decides(name: str) -> None:
    (shorter, longer) = bars(name)
    assert shorter[0] == longer[0]
    assert shorter[1] < longer[1]
    assert (longer[1] - longer[0]) / PX_PER_MS == pytest.approx(latency_floor_ms(make_settings(), "max"), abs=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_every_word_has_room(name: str) -> None:
    flow = read(name)
    for box, left, width in lay_out(flow).boxes:
        assert 0 < left < left + width < WIDTH
        words = {box.name: 14.0, **dict.fromkeys(box.lines, 12.5)}
        assert all(text_px(word, bold=True, font=size) <= width for word, size in words.items())
    assert text_px(flow.title, bold=True, font=15.0) <= WIDTH - 20


@pytest.mark.parametrize("name", NAMES)
def test_a_drawing_says_in_words_what_it_shows_and_asks_nobody(name: str) -> None:
    svg = draw(name)
    flow = read(name)
    title = ET.fromstring(svg).find(f"{SVG}title")
    assert title is not None
    assert title.text == flow.alt
    assert all(f"{step.number}" in flow.alt for step in flow.step)
    assert "{" not in flow.alt
    assert len(flow.alt) <= 250
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")


def test_the_environment_of_who_draws_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = draw(NAMES[0])
    monkeypatch.setenv("SERVING_MODEL_MAX_MS", "60")
    monkeypatch.setenv("SERVING_THREADS", "7")
    assert draw(NAMES[0]) == before


def asked_by(name: str) -> list[str]:
    """Return the lifelines from which the models are asked."""
    return [step.source for step in read(name).step if step.takes]


def test_no_diagram_takes_asking_at_once_for_async() -> None:
    assert {name: read(name).floor for name in NAMES} == {
        "one-after-the-other": "sum",
        "at-once-threads": "max",
        "at-once-event-loop": "max",
    }
    titles = [read(name).title for name in NAMES]
    assert [("Flask" in title, "FastAPI" in title) for title in titles] == [(True, True), (True, False), (False, True)]
    assert not any("sync" in title.lower() for title in titles)


def test_a_pool_asks_each_model_from_a_thread_of_its_own_and_an_event_loop_both_from_one() -> None:
    assert len(set(asked_by("at-once-threads"))) == 2
    assert len(set(asked_by("at-once-event-loop"))) == 1


def test_a_step_to_nowhere_is_named() -> None:
    table = read(NAMES[0]).model_dump(by_alias=True)
    table["step"][2]["to"] = "modell"
    with pytest.raises(
        ValidationError, match=r"step 3 names 'modell', expected one of client, scoring, redis, model 1"
    ):
        Flow.model_validate(table)
