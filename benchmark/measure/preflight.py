"""Before anything is started: how busy is the machine, and who keeps it so?"""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import psutil

from benchmark.errors import BenchmarkError
from benchmark.record import provenance

_SHOWN: Final = 5
_LEAST: Final = 0.03  # of a core; who uses less is not named
_SAY_EVERY_S: Final = 10.0


class MachineBusy(BenchmarkError):
    """The machine did not become idle in the time that was given."""

    code = "machine_busy"


class BusyProcess(NamedTuple):
    """A process, and how much of a core it uses."""

    name: str
    pid: int
    cores: float

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid}) uses {self.cores:.0%} of a core"


class Use(NamedTuple):
    """How much of the machine is in use, as a share of all cores, and by whom, the busiest first."""

    share: float
    processes: Sequence[BusyProcess] = ()

    def __str__(self) -> str:
        named = ", ".join(map(str, self.processes))
        return named or "no process accounts for it: short-lived ones do, or other virtual machines"


def await_idle(
    limit: float,
    wait_s: float,
    say: Callable[[str], None],
    look: Callable[[float], Use] | None = None,
    now_s: Callable[[], float] = time.monotonic,
) -> float:
    """Wait until at most this share of all cores is in use, and return the share.

    Where no time is given to wait, a busy machine is only warned of. Raises MachineBusy at the end of the time.
    """
    look = look or use_of_the_machine
    begin_s = now_s()
    said_s = -_SAY_EVERY_S
    while (use := look(limit)).share > limit:
        busy = f"the machine is {use.share:.0%} busy, at most {limit:.0%} is allowed: {use}"
        waited_s = now_s() - begin_s
        if not wait_s:
            say(f"{busy}. The run will be INVALID: stop what uses the CPU, or wait for it with --wait-idle 60")
            break
        if waited_s >= wait_s:
            raise MachineBusy(f"{busy}; nothing was started after {waited_s:.0f} s of waiting")
        if waited_s - said_s >= _SAY_EVERY_S:
            say(f"{busy}; waiting, {wait_s - waited_s:.0f} s left")
            said_s = waited_s
    return use.share


def use_of_the_machine(limit: float) -> Use:
    """Return the use of the machine over a second; beyond a limit, over another one by whom."""
    share = provenance.busy_share()
    return Use(share, busiest() if share > limit else ())


def busiest(
    seconds: float = provenance.BUSY_PROBE_S,
    sleep: Callable[[float], None] = time.sleep,
    now_s: Callable[[], float] = time.monotonic,
) -> list[BusyProcess]:
    """Return the processes that use most of the CPU, without this one; who ends meanwhile is not seen."""
    begin_s, before_s = now_s(), _cpu_s()
    sleep(seconds)
    took_s, after_s = now_s() - begin_s, _cpu_s()
    found = [
        BusyProcess(name, pid, (used_s - before_s[pid, name]) / took_s)
        for (pid, name), used_s in after_s.items()
        if (pid, name) in before_s
    ]
    found.sort(key=lambda process: -process.cores)
    return [process for process in found[:_SHOWN] if process.cores >= _LEAST]


def _cpu_s() -> Mapping[tuple[int, str], float]:
    """Return the CPU time of every other process, by its id and its name."""
    found, own = {}, psutil.Process().pid
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != own:
                times = process.cpu_times()
                found[process.pid, process.name()] = times.user + times.system
    return found
