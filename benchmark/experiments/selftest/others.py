"""Other load generators: how each is started against the absorber, and what it says of what it saw.

wrk has a closed loop only; hey has one that is slowed down to a rate. oha and k6 have a rate of their own, and count
from when a request was due (oha with --latency-correction).
"""

import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmark.errors import LoadError, UnknownContender

_UNIT_MS: Final = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 60e3, "h": 3600e3}
_WRK_TIME: Final = r"(\d+(?:\.\d+)?)(us|ms|s|m|h)\b"
_K6_USERS: Final = 400  # at most; a stall of 2 s takes 120 at 60 requests/s


class Said(NamedTuple):
    """What a generator says of the latencies that it saw."""

    mean_ms: float
    p50_ms: float
    p99_ms: float


class Asked(NamedTuple):
    """What a generator is asked to do; without a rate, as fast as so many connections go."""

    url: str
    seconds: float
    connections: int
    rate_rps: float | None
    script: Path  # where a generator that reads one finds it


@dataclass(frozen=True)
class OtherGenerator:
    """A program; `loop` says how it asks."""

    name: str
    loop: str
    command: Callable[[Asked], list[str]]
    read: Callable[[str], Said]  # its output; raises ValueError or LookupError if it is none
    script: Callable[[Asked], str] | None = None


def _wrk(asked: Asked) -> list[str]:
    return ["wrk", "-t1", f"-c{asked.connections}", f"-d{_whole(asked.seconds)}s", "--latency", asked.url]


def _read_wrk(output: str) -> Said:
    mean = re.search(rf"^\s*Latency\s+{_WRK_TIME}", output, re.MULTILINE)
    shares = {share: _ms(*time) for share, *time in re.findall(rf"^\s*(\d+)%\s+{_WRK_TIME}", output, re.MULTILINE)}
    if not mean:
        raise ValueError("there is no line `Latency`")
    return Said(_ms(*mean.groups()), shares["50"], shares["99"])


def _hey(asked: Asked) -> list[str]:
    # hey's rate is that of each of its workers.
    rate = [] if asked.rate_rps is None else ["-q", f"{asked.rate_rps / asked.connections:g}"]
    return ["hey", "-z", f"{_whole(asked.seconds)}s", "-c", str(asked.connections), *rate, asked.url]


def _read_hey(output: str) -> Said:
    mean = re.search(r"^\s*Average:\s+(\d+(?:\.\d+)?) secs", output, re.MULTILINE)
    # One of its versions writes the percent sign twice.
    shares = dict(re.findall(r"^\s*(\d+)%{1,2} in (\d+(?:\.\d+)?) secs", output, re.MULTILINE))
    if not mean:
        raise ValueError("there is no line `Average`")
    return Said(*(float(seconds) * 1e3 for seconds in (mean[1], shares["50"], shares["99"])))


def _oha(asked: Asked) -> list[str]:
    rate = [] if asked.rate_rps is None else ["-q", f"{asked.rate_rps:g}", "--latency-correction"]
    length, users = f"{_whole(asked.seconds)}s", str(asked.connections)
    return ["oha", "-z", length, "-c", users, *rate, "--no-tui", "--output-format", "json", asked.url]


def _read_oha(output: str) -> Said:
    document = json.loads(output)
    shares = document["latencyPercentiles"]
    return Said(*(float(each) * 1e3 for each in (document["summary"]["average"], shares["p50"], shares["p99"])))


def _k6(asked: Asked) -> list[str]:
    return ["k6", "run", "--quiet", str(asked.script)]


def _k6_script(asked: Asked) -> str:
    length = f"{_whole(asked.seconds)}s"
    scenario: dict[str, Any] = {"executor": "constant-vus", "vus": asked.connections, "duration": length}
    if asked.rate_rps is not None:
        scenario = {
            "executor": "constant-arrival-rate", "rate": round(asked.rate_rps), "timeUnit": "1s", "duration": length,
            "preAllocatedVUs": _K6_USERS, "maxVUs": _K6_USERS,
        }  # fmt: skip
    options = {"scenarios": {"selftest": scenario}, "summaryTrendStats": ["avg", "med", "p(99)"]}
    return (
        'import http from "k6/http";\n'
        f"export const options = {json.dumps(options)};\n"
        f"export default function () {{ http.get({json.dumps(asked.url)}); }}\n"
        "export function handleSummary(data) { return { stdout: JSON.stringify(data) }; }\n"
    )


def _read_k6(output: str) -> Said:
    values = json.loads(output[output.index("{") :])["metrics"]["http_req_duration"]["values"]
    return Said(*(float(values[name]) for name in ("avg", "med", "p(99)")))


_ALL: Final = (
    OtherGenerator("wrk", "closed loop", _wrk, _read_wrk),
    OtherGenerator("hey", "closed loop, slowed down to the rate", _hey, _read_hey),
    OtherGenerator("oha", "rate, with --latency-correction", _oha, _read_oha),
    OtherGenerator("k6", "constant arrival rate", _k6, _read_k6, _k6_script),
)
OTHERS: Final = {each.name: each for each in _ALL}


def choose_others(written: str, which: Callable[[str], str | None] = shutil.which) -> tuple[list[str], list[str]]:
    """Return which of the generators in a list are installed, and which are not. Raises UnknownContender."""
    names = list(dict.fromkeys(name.strip() for name in written.split(",") if name.strip()))
    for name in names:
        if name not in OTHERS:
            raise UnknownContender(f"--with {name}: selftest cannot grade it, expected some of {', '.join(OTHERS)}")
    found = [name for name in names if which(name)]
    return found, [name for name in names if name not in found]


def read_output(name: str, output: str) -> Said:
    """Return what a generator says. Raises LoadError if it does not say it as expected."""
    try:
        return OTHERS[name].read(output)
    except (ValueError, LookupError, TypeError) as error:
        shown: Sequence[str] = output.strip().splitlines()[-1:] or ["nothing"]
        raise LoadError(f"{name} did not say its latencies as expected ({error}); it ends: {shown[0]:.200}") from error


def _ms(number: str, unit: str) -> float:
    return float(number) * _UNIT_MS[unit]


def _whole(seconds: float) -> int:
    return max(round(seconds), 1)
