"""The stage clock: what `X-Request-Start` becomes in `Server-Timing`, to the last digit."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contract.scoring import ModelReply
from contract.timing import SERVER_TIMING_HEADER, NoClock, parse_server_timing, request_start_header, start_clock

NOW_S = 1_700_000_000.0


class FakeTime:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.ns = 10**15

    def pass_ms(self, ms: float) -> None:
        self.ns += round(ms * 1e6)


@pytest.fixture
def fake_time(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    fake = FakeTime()
    monkeypatch.setattr(time, "perf_counter_ns", lambda: fake.ns)
    monkeypatch.setattr(time, "time", lambda: NOW_S)
    return fake


def test_the_stages_of_a_scoring_request_add_up(fake_time: FakeTime) -> None:
    clock = start_clock(True, f"t={NOW_S - 0.0015:.6f}")
    fake_time.pass_ms(0.25)
    clock.end("parse")
    fake_time.pass_ms(1)
    clock.end("features")
    fake_time.pass_ms(47.1234567)
    clock.end_models([ModelReply(0.041, 42.0), ModelReply(0.046012, 47.00049)])
    fake_time.pass_ms(0.1)
    assert clock.header() == {
        "Server-Timing": "queue;dur=1.500, parse;dur=0.250, features;dur=1.000, models;dur=47.123, "
        "model;desc=1;dur=42.000, model;desc=2;dur=47.000, drawn;desc=1;dur=41.000, drawn;desc=2;dur=46.012, "
        "respond;dur=0.100"
    }


def test_the_stages_of_a_model_request(fake_time: FakeTime) -> None:
    clock = start_clock(True, None)
    for stage, ms in (("parse", 0.5), ("compute", 0.0), ("sleep", 45.0)):
        fake_time.pass_ms(ms)
        clock.end(stage)
    assert clock.header() == {
        "Server-Timing": "parse;dur=0.500, compute;dur=0.000, sleep;dur=45.000, respond;dur=0.000"
    }


@pytest.mark.parametrize(
    ("sent_s", "queued"),
    [(NOW_S, "0.000"), (NOW_S - 2, "2000.000"), (NOW_S - 3599, "3599000.000"), (NOW_S + 0.5, "0.000")],
    ids=["now", "two seconds ago", "almost an hour ago", "by a clock that is a little ahead"],
)
def test_the_time_since_the_client_sent_is_the_stage_queue(fake_time: FakeTime, sent_s: float, queued: str) -> None:
    assert start_clock(True, f"t={sent_s}").header() == {"Server-Timing": f"queue;dur={queued}, respond;dur=0.000"}


@pytest.mark.parametrize(
    "header",
    [
        *(None, "", "t", "t=", "t=x", "t=nan", "t=0x10", "t=\x00", "\x00"),
        *(f"{NOW_S}", f"T={NOW_S}", f"x={NOW_S}", f"t={NOW_S};x"),
        *("t=0", "t=-1e999", f"t={NOW_S - 3600}"),
    ],
)
def test_a_header_that_cannot_be_right_gives_no_stage_queue(fake_time: FakeTime, header: str | None) -> None:
    assert start_clock(True, header).header() == {"Server-Timing": "respond;dur=0.000"}


@pytest.mark.parametrize("header", ["t=inf", "t=" + "9" * 400, f"t={NOW_S + 3600}", f"t={NOW_S * 1000:.0f}"])
def test_a_time_far_ahead_is_not_taken_for_an_empty_queue(fake_time: FakeTime, header: str) -> None:
    assert start_clock(True, header).header() == {"Server-Timing": "respond;dur=0.000"}


@given(st.text() | st.text().map(lambda text: f"t={text}") | st.floats().map(lambda value: f"t={value}"))
def test_no_request_start_breaks_the_clock(header: str) -> None:
    stages = parse_server_timing(start_clock(True, header).header()["Server-Timing"])
    assert list(stages)[-1] == "respond"
    assert all(0 <= ms < 3600e3 for (ms,) in stages.values())


def test_the_clients_header_is_understood(fake_time: FakeTime) -> None:
    assert request_start_header() == {"X-Request-Start": f"t={NOW_S:.6f}"}
    assert start_clock(True, request_start_header()["X-Request-Start"]).header() == {
        "Server-Timing": "queue;dur=0.000, respond;dur=0.000"
    }


def test_a_clock_that_is_off_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(time, "perf_counter_ns")
    monkeypatch.delattr(time, "time")
    clock = start_clock(False, f"t={NOW_S}")
    assert isinstance(clock, NoClock)
    clock.end("parse")
    clock.end_models([ModelReply(0.045, 45.0)])
    assert clock.header() == {}


def test_two_requests_do_not_share_a_clock(fake_time: FakeTime) -> None:
    one, other = start_clock(True, None), start_clock(True, None)
    one.end("parse")
    assert other.header() == {"Server-Timing": "respond;dur=0.000"}


def test_a_header_is_read_back_as_it_was_written(fake_time: FakeTime) -> None:
    clock = start_clock(True, f"t={NOW_S - 1}")
    fake_time.pass_ms(2)
    clock.end("parse")
    clock.end_models([ModelReply(0.041, 42.0), ModelReply(0.046, 47.5)])
    assert parse_server_timing(clock.header()["Server-Timing"]) == {
        "queue": [1000.0],
        "parse": [2.0],
        "models": [0.0],
        "model": [42.0, 47.5],
        "drawn": [41.0, 46.0],
        "respond": [0.0],
    }


@pytest.mark.parametrize(
    ("header", "stages"),
    [
        ("", {}),
        ("cache", {}),
        ("cache;desc=hit", {}),
        ("cache;dur=", {}),
        ("cache;dur=fast", {}),
        ('cache;desc="a;b";dur=1.5', {"cache": [1.5]}),
        (" a ; dur=1 , b;dur=2,a;dur=3 ", {"a": [1.0, 3.0], "b": [2.0]}),
    ],
)
def test_entries_without_a_readable_duration_are_left_out(header: str, stages: dict[str, list[float]]) -> None:
    assert parse_server_timing(header) == stages


@given(st.text() | st.text(alphabet="abdur=;, .0123456789-+e\"'"))
@example("a;dur=1e999,;;,=;dur==")
def test_no_server_timing_breaks_its_reader(header: str) -> None:
    for durations_ms in parse_server_timing(header).values():
        assert durations_ms
        assert all(isinstance(ms, float) for ms in durations_ms)


def test_a_model_that_was_asked_twice_is_listed_without_a_duration() -> None:
    clock = start_clock(True, None)
    clock.end_models([ModelReply(0.041, 42.0), ModelReply(0.046, 47.0, retried=True)])
    header = clock.header()[SERVER_TIMING_HEADER]
    assert [entry for entry in header.split(", ") if entry.startswith("retry")] == ["retry;desc=2"]
    assert "retry" not in parse_server_timing(header)


def test_nobody_is_listed_when_no_model_was_asked_twice() -> None:
    clock = start_clock(True, None)
    clock.end_models([ModelReply(0.041, 42.0)])
    assert "retry" not in clock.header()[SERVER_TIMING_HEADER]
