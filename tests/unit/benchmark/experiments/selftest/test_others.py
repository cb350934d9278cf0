"""What other generators say is read from their output, as each writes it."""

import json
from pathlib import Path

import pytest

from benchmark.errors import LoadError, UnknownContender
from benchmark.experiments.selftest.others import OTHERS, Asked, choose_others, read_output

ASKED = Asked("http://127.0.0.1:8102/absorb", 11.5, 3, 60.0, Path("plan.js"))
WRK = """Running 12s test @ http://127.0.0.1:8102/absorb
  1 threads and 3 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    62.51ms  150.20ms   2.05s    99.43%
    Req/Sec    59.70      4.10    60.00     90.00%
  Latency Distribution
     50%  950.00us
     75%   50.41ms
     90%   50.60ms
     99%    1.20s
  540 requests in 12.00s, 80.31KB read
Requests/sec:     45.00
"""
HEY = """
Summary:
  Total:	12.0502 secs
  Slowest:	2.0512 secs
  Fastest:	0.0502 secs
  Average:	0.0625 secs
  Requests/sec:	45.0012

Response time histogram:
  0.050 [1]	|
  0.250 [530]	|########

Latency distribution:
  10%% in 0.0503 secs
  50% in 0.0505 secs
  99%% in 0.0521 secs

Status code distribution:
  [200]	540 responses
"""
OHA = json.dumps(
    {
        "summary": {"successRate": 1.0, "total": 12.0, "slowest": 2.05, "average": 0.2651, "requestsPerSec": 60.0},
        "latencyPercentiles": {"p10": 0.05, "p50": 0.0504, "p95": 1.5, "p99": 2.0105},
    }
)
K6 = "warning: something\n" + json.dumps(
    {
        "metrics": {
            "http_req_duration": {
                "type": "trend", "contains": "time", "values": {"avg": 265.1, "med": 50.4, "p(99)": 2010.5},
            }
        }
    }
)  # fmt: skip
OUTPUTS = {
    "wrk": (WRK, (62.51, 0.95, 1200.0)),
    "hey": (HEY, (62.5, 50.5, 52.1)),
    "oha": (OHA, (265.1, 50.4, 2010.5)),
    "k6": (K6, (265.1, 50.4, 2010.5)),
}


@pytest.mark.parametrize("name", list(OTHERS))
def test_what_a_generator_says_is_read(name: str) -> None:
    output, expected = OUTPUTS[name]
    assert read_output(name, output) == pytest.approx(expected)


@pytest.mark.parametrize("name", list(OTHERS))
@pytest.mark.parametrize("output", ["", "unable to connect", "{}", "[1]"], ids=["nothing", "text", "object", "array"])
def test_what_it_does_not_say_is_no_figure(name: str, output: str) -> None:
    with pytest.raises(LoadError, match=f"{name} did not say its latencies as expected"):
        read_output(name, output)


def test_each_is_asked_for_the_rate_if_it_has_one() -> None:
    commands = {name: " ".join(other.command(ASKED)) for name, other in OTHERS.items()}
    assert commands["wrk"] == "wrk -t1 -c3 -d12s --latency http://127.0.0.1:8102/absorb"
    assert "-c 3 -q 20 " in commands["hey"]  # of each worker
    assert "-q 60 --latency-correction " in commands["oha"]
    script = OTHERS["k6"].script
    assert script
    assert '"constant-arrival-rate", "rate": 60' in script(ASKED)
    assert commands["k6"].endswith("plan.js")


def test_without_a_rate_each_is_a_closed_loop() -> None:
    asked = ASKED._replace(rate_rps=None, connections=1)
    assert not any("-q" in other.command(asked) for other in OTHERS.values())
    script = OTHERS["k6"].script
    assert script
    assert '"constant-vus", "vus": 1' in script(asked)


def test_those_that_are_not_installed_are_left_out_and_named() -> None:
    assert choose_others("hey, wrk,hey", lambda name: "/usr/bin/wrk" if name == "wrk" else None) == (["wrk"], ["hey"])
    assert choose_others("") == ([], [])


def test_a_generator_that_is_not_known_is_wrong_usage() -> None:
    with pytest.raises(UnknownContender, match="--with ab: selftest cannot grade it, expected some of wrk, hey, oha"):
        choose_others("wrk,ab")
