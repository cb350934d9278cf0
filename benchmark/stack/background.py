"""`up` and `down`: start and stop the services of all contenders in the background, for curl and the browser.

run/services.json lists the processes that `up` has started. Each is added before its program begins, so that `down`
finds it even if `up` crashes. Until all are ready, a guard stops them if `up` ends early.
"""

import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from benchmark.contenders.discovery import ROOT, Contender, Process, discover
from benchmark.errors import ServicesError
from benchmark.stack.ports import refuse_taken
from benchmark.stack.processes import (
    HOST,
    READY_TIMEOUT_S,
    Launch,
    ProcessLauncher,
    Running,
    Stack,
    await_ready,
    is_ready,
    start_role,
    stop_processes,
)
from benchmark.stack.services_state import Service, State, living, locked
from benchmark.stack.uninterrupted import uninterrupted
from benchmark.stack.watchdog import Guard, stop_groups

RUN = ROOT / "run"
# By default the feature store ends with its parent process.
_STAY: Final = {"FEATURE_STORE_STAY": "1"}
_POLL_S: Final = 0.05


def up(folder: Path | None = None, known: Mapping[str, Contender] | None = None) -> Generator[str, None, None]:
    """Start every process that is not up yet of every contender of the service contract, once per port.

    Yields a line per service. If it ends before the last line, the processes that it started are stopped again.
    Raises BenchmarkError.
    """
    wanted = list(_distinct(served(discover().values()) if known is None else known.values()))
    with locked(folder or RUN) as state, closing(Guard()) as guard:
        kept = _clear_away(state)
        _refuse_other_settings(wanted, kept)
        missing = [(c, p) for c, p in wanted if not any(service.port == p.port for service in kept)]
        refuse_taken((process.port, f"{process.role} of {contender.name}") for contender, process in missing)
        started: dict[int, Running] = {}  # by port
        try:
            for contender, process in missing:
                _start(contender, process, state, started, guard)
            for contender, process in wanted:
                yield _await(contender, process, started, kept)
            if others := [service for service in kept if service.port not in {p.port for _, p in wanted}]:
                yield f"also up, from before: {_on_ports(others)}"
            with uninterrupted():
                for running in started.values():
                    guard.release(running.pid)
        except BaseException:
            with uninterrupted():
                stop_processes([running.popen for running in started.values()], guard)
                ended = {running.pid for running in started.values()}
                ended -= living(ended)
                state.write([service for service in state.read() if service.pid not in ended])
            raise


def down(folder: Path | None = None) -> Iterator[str]:
    """Stop what `up` started, and nothing else. Yields a line about it. Raises ServicesError."""
    folder = folder or RUN
    if not folder.exists():
        yield "nothing to stop"
        return
    with locked(folder) as state:
        services = state.read()
        alive = [service for service in services if service.is_alive]
        if left := _stop(services):
            state.write(left)
            raise ServicesError(f"{_named(left)} cannot be stopped and still run; did another user start them?")
        state.write([])
    yield f"stopped {len(alive)} services" if alive else "nothing to stop"


def _stop(services: Iterable[Service]) -> list[Service]:
    """Stop services with their workers, and return those of which something still runs."""
    groups = {service.pid: service for service in services if service.has_a_group}
    stop_groups(set(groups))
    remaining = living(groups)
    return [service for pid, service in groups.items() if pid in remaining or service.is_alive]


def _named(services: Iterable[Service]) -> str:
    return "the processes " + ", ".join(f"{service.pid} ({service.role})" for service in services)


def _on_ports(services: Iterable[Service]) -> str:
    return ", ".join(f"{service.role} http://{HOST}:{service.port}" for service in services)


def known_contenders() -> dict[str, Contender]:
    """Return what `up` can start, by name. Raises ContenderError."""
    return discover()


def served(contenders: Iterable[Contender]) -> list[Contender]:
    """Return the contenders that `up` starts: the first of those that share a scoring port."""
    usual = [each for each in contenders if each.follows_contract and not each.harness_floor]
    found = {(contender.name): contender for contender, process in _distinct(usual) if process.role == "scoring"}
    return list(found.values())


def _distinct(contenders: Iterable[Contender]) -> Iterator[tuple[Contender, Process]]:
    """Yield each process once: variants share the ports of the contender that they are based on."""
    seen: set[int] = set()
    for contender in contenders:
        for process in contender.process:
            if process.port not in seen:
                seen.add(process.port)
                yield contender, process


def _refuse_other_settings(wanted: Iterable[tuple[Contender, Process]], kept: Iterable[Service]) -> None:
    """Raise ServicesError if a service that is up has other settings than the one that is asked for on its port."""
    up_now = {service.port: service for service in kept if service.settings is not None}
    for contender, process in wanted:
        service = up_now.get(process.port)
        if service and service.settings != process.env:
            raise ServicesError(
                f"{process.role} of {contender.name}: port {process.port} has a service that is up with other "
                "settings: run `make down` first, or use --free-ports"
            )


def _clear_away(state: State) -> list[Service]:
    """Return the running services. Of those that have ended, stop remaining processes such as workers."""
    services = state.read()
    alive = [service for service in services if service.is_alive]
    left = _stop(service for service in services if service not in alive)
    state.write([*alive, *left])
    return alive


def _start(contender: Contender, process: Process, state: State, started: dict[int, Running], guard: Guard) -> None:
    """Add one process to services.json, and start its program only then. Raises StackError or ServicesError."""
    ports = {other.role: other.port for other in contender.process}

    def announce(_: Launch, pid: int) -> None:
        state.write([*state.read(), Service.of(pid, process.role, process.port, process.env)])

    with uninterrupted():
        launcher = ProcessLauncher(announce)
        started[process.port] = start_role(contender, process, ports, state.folder / "logs", guard, _STAY, launcher)


def _await(contender: Contender, process: Process, started: Mapping[int, Running], kept: Sequence[Service]) -> str:
    """Wait until a service is ready, and return its line of output. Raises StackError or ServicesError."""
    line = f"{contender.name:<6} {process.role:<8} http://{HOST}:{process.port}"
    running = started.get(process.port)
    if running:
        await_ready(Stack(contender, (running,)))
        return f"{line}  log {running.log}"
    service = next(service for service in kept if service.port == process.port)
    until_s = time.monotonic() + READY_TIMEOUT_S
    while not is_ready(process, process.port):
        if not service.is_alive or time.monotonic() > until_s:
            raise ServicesError(
                f"{process.role} of {contender.name} is running but does not answer on port {process.port}: "
                "run `make down`, then `make up`"
            )
        time.sleep(_POLL_S)
    return f"{line}  already up"
