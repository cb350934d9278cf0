"""The share card of a run."""

import struct
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmark.report.card import Card, card_files
from benchmark.report.charts.bars import Bar, BarPart, bars_sheet, floor_key
from benchmark.report.charts.chart import Layout, Sheet

SVG = "{http://www.w3.org/2000/svg}"
LIMIT_BYTES = 200_000
ANSWER = "Alone, sync-concurrent and async-aiohttp answer in about 49.4 ms; sync takes 96.1 ms."


def card(**changes: Any) -> Card:
    given: dict[str, Any] = {
        "question": "Which contender is faster?",
        "answers": [ANSWER] * 3,
        "valid": True,
        "where": "2026-11-21 05:00 UTC · a machine",
        "command": "python -m benchmark bench",
    }
    return Card(**{**given, **changes})


def picture(layout: Layout) -> Sheet:
    rows = [Bar(f"contender-{i}", "51.7 ms", parts=[BarPart(50.0, "#0072b2")]) for i in range(12)]
    return bars_sheet("card-picture", layout, rows, floor_key(), "latency [ms]")


def size_of(png: bytes) -> tuple[int, ...]:
    assert png.startswith(b"\x89PNG")
    return struct.unpack(">II", png[16:24])


@pytest.mark.parametrize("draw", [picture, None])
def test_a_card_is_1200_by_630_pixels_and_light(draw: Any) -> None:
    files = card_files(card(), draw)
    assert list(files) == ["share.svg", "share.png"]
    assert size_of(files["share.png"]) == (1200, 630)
    root = ElementTree.fromstring(files["share.svg"])
    assert (root.get("width"), root.get("height")) == ("1200", "630")
    assert max(map(len, files.values())) < LIMIT_BYTES


def test_a_number_keeps_its_unit() -> None:
    words = card_files(card(answers=["shortened to 2 %"] * 9), None)["share.svg"].decode()
    assert "2\u00a0%" in words


def said(files: dict[str, bytes]) -> str:
    root = ElementTree.fromstring(files["share.svg"])
    return " ".join(text.text or "" for text in root.findall(f".//{SVG}text")).replace("\u00a0", " ")


def test_a_card_says_question_answers_state_machine_date_and_command() -> None:
    words = said(card_files(card(), picture))
    for expected in ("Which contender is faster?", ANSWER, "VALID", "2026-11-21 05:00 UTC", "benchmark bench"):
        assert expected in words
    assert "contender-11" in words  # the picture


def test_an_invalid_run_says_so() -> None:
    assert "INVALID" in said(card_files(card(valid=False, answers=[]), None))


def test_the_picture_stays_inside_its_card() -> None:
    root = ElementTree.fromstring(card_files(card(), picture)["share.svg"])
    inner = root.find(f"{SVG}svg")
    assert inner is not None
    x, y, width, height = (float(inner.attrib[name]) for name in ("x", "y", "width", "height"))
    assert 600 < x < x + width <= 1200
    assert 100 < y < y + height < 530


def test_the_same_run_gives_the_same_bytes() -> None:
    assert card_files(card(), picture) == card_files(card(), picture)


def test_a_long_question_and_command_are_shortened() -> None:
    words = said(card_files(card(question="why " * 100, command="python -m benchmark " + "x" * 400), None))
    assert words.count("…") == 2
