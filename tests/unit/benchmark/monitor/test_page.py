"""The page of a watch says and shows what was seen; a load is drawn beside it only on the same clock."""

from pathlib import Path

import numpy as np
import pytest

from benchmark.errors import RecordError
from benchmark.monitor.beside import Load, load_beside
from benchmark.monitor.figures import picture_of
from benchmark.monitor.health import Probe
from benchmark.monitor.page import is_well, sentence, write
from benchmark.monitor.summary import end_of, seen_of
from benchmark.record.run import Run
from tests.unit.benchmark.monitor.watched import BAD, GOOD, LOAD, STARTED_NS, WATCH, A, B, probe, probes
from tests.unit.benchmark.synthetic import Held, make_contender, make_run, record, samples_of
from tests.unit.plain import faults


def said(answered: dict[str, list[Probe]]) -> list[str]:
    return [sentence(each, end_of(WATCH, answered)) for each in seen_of(WATCH, answered)]


def test_all_well_is_said_so() -> None:
    assert is_well(seen_of(WATCH, GOOD))
    assert said(GOOD) == [f"{name} was well all the time: 100 good answers." for name in (A, B)]


def test_a_single_lost_answer_is_said_and_is_no_outage() -> None:
    lost = {**GOOD, A: list(probes("." * 50 + "x" + "." * 49))}
    assert is_well(seen_of(WATCH, lost))
    assert said(lost)[0] == f"{A} was well all the time, with 1 of 100 answers late or bad."


def test_down_and_stalled_are_said_with_how_long() -> None:
    assert not is_well(seen_of(WATCH, BAD))
    assert said(BAD)[0] == f"{A} was down for 1.00 s and stalled for 2.00 s, and well at the end."


def test_what_is_still_down_is_said() -> None:
    assert said({**GOOD, A: list(probes("." * 80 + "x" * 20))})[0].endswith("and still down at the end.")


@pytest.mark.parametrize("answered", [GOOD, BAD])
def test_every_sentence_is_plain(answered: dict[str, list[Probe]]) -> None:
    for text in said(answered):
        assert faults(text.replace(A, "sync").replace(B, "async")) == []


@pytest.mark.parametrize("load", [None, LOAD])
def test_the_page_shows_services_outages_and_load(tmp_path: Path, load: Load | None) -> None:
    path = write(tmp_path, WATCH, BAD, seen_of(WATCH, BAD), load)
    page = path.read_text()
    for text in (A, B, "NOT WELL", "07:00:02", "07:00:04", "no answer within 1 s"):
        assert text in page
    assert (LOAD.run in page) == bool(load)
    assert "stalled" in page.partition("<svg")[2].partition("</svg>")[0]


def test_what_a_service_says_is_text_on_the_page(tmp_path: Path) -> None:
    evil = [each._replace(error="<script>alert(1)</script>") for each in probes("x" * 20)]
    path = write(tmp_path, WATCH, {**GOOD, A: evil}, seen_of(WATCH, {**GOOD, A: evil}))
    assert "<script" not in path.read_text()


def test_a_short_watch_that_saw_nothing_good_can_be_drawn(tmp_path: Path) -> None:
    answered = {A: [probe(0, "x")], B: []}
    assert write(tmp_path, WATCH, answered, seen_of(WATCH, answered)).exists()


def test_a_long_watch_is_drawn_with_few_points() -> None:
    answered = {A: list(probes("." * 20_000)), B: list(probes("." * 20_000, B))}
    picture = picture_of(WATCH, answered, seen_of(WATCH, answered), None)
    assert len(picture.rows) == 1 + 2 * 300


def measured(results: Path, started_utc: str, start_ns: int) -> Run:
    """Return a run of ten seconds with 20 answers a second, every tenth of them failed."""
    run = make_run(results, [make_contender("a")])
    trial = record(run, 0, "a", Held(1, 10.0))
    when_ns = start_ns + np.arange(200) * 50_000_000
    frame = samples_of(when_ns, np.full(200, 1_000_000), users=1, ok=(np.arange(200) % 10 > 0).astype(int))
    frame.to_csv(run.file("samples", trial, ".csv"), index=False)
    run.write_json("manifest.json", {**run.manifest, "started_utc": started_utc, "finished_utc": None})
    return run


def test_the_load_of_a_run_is_on_the_clock_of_the_watch(tmp_path: Path) -> None:
    run = measured(tmp_path, "2026-11-28T07:00:02Z", STARTED_NS + 3 * 10**9)
    load = load_beside(run.path, WATCH, STARTED_NS + 10 * 10**9)
    assert list(load.good_rps[:5]) == [0, 0, 0, 18, 18]
    assert list(load.failed_rps[:5]) == [0, 0, 0, 2, 2]
    assert len(load.good_rps) == 11


@pytest.mark.parametrize(
    ("started_utc", "start_s"),
    [("2026-11-28T07:00:02Z", 3600), ("2026-11-29T07:00:02Z", 3)],
    ids=["another hour", "another day, after a restart"],
)
def test_a_run_of_another_time_is_refused(tmp_path: Path, started_utc: str, start_s: int) -> None:
    run = measured(tmp_path, started_utc, STARTED_NS + start_s * 10**9)
    with pytest.raises(RecordError, match="no load while this watch lasted"):
        load_beside(run.path, WATCH, STARTED_NS + 10 * 10**9)
