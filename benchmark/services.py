"""`up` and `down`: the services of all contenders in the background, for curl and the browser."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil

from benchmark.contenders import ROOT, Contender, Process, discover
from benchmark.errors import AlreadyUp, BenchmarkError
from benchmark.guard import stop_groups
from benchmark.stack import Running, Stack, await_ready, start_role

RUN = ROOT / "run"
# The feature store ends with its parent, except when asked to stay.
_STAY = {"FEATURE_STORE_STAY": "1"}


def up(folder: Path = RUN) -> Iterator[str]:
    """Start every process of every contender once per port; yields a line per service. Raises BenchmarkError."""
    if _recorded(folder):
        raise AlreadyUp(f"the services are up already, see {folder}; `make down` stops them")
    logs = folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    started: list[tuple[Contender, Running]] = []
    try:
        for contender, process in _distinct(discover().values()):
            ports = {other.role: other.port for other in contender.process}
            started.append((contender, start_role(contender, process, ports, logs, guard=None, env=_STAY)))
        for contender, running in started:
            await_ready(Stack(contender, (running,)))
            yield f"{contender.name:<6} {running.role:<8} http://127.0.0.1:{running.port}  log {running.log}"
    except (BenchmarkError, KeyboardInterrupt):
        stop_groups({running.pid for _, running in started})
        raise
    _write(folder, [running for _, running in started])


def down(folder: Path = RUN) -> Iterator[str]:
    """Stop what `up` started, and nothing else; yields what was done."""
    alive = _recorded(folder)
    stop_groups({entry["pid"] for entry in alive})
    (folder / "services.json").unlink(missing_ok=True)
    yield f"stopped {len(alive)} services" if alive else "nothing to stop"


def served(contenders: Iterable[Contender]) -> list[Contender]:
    """Return the contenders that `up` starts: of those that share a scoring port, the first."""
    found = {(contender.name): contender for contender, process in _distinct(contenders) if process.role == "scoring"}
    return list(found.values())


def _distinct(contenders: Iterable[Contender]) -> Iterator[tuple[Contender, Process]]:
    """Yield each process once: variants share their ports with the contender they are like."""
    seen: set[int] = set()
    for contender in contenders:
        for process in contender.process:
            if process.port not in seen and not contender.harness_floor:
                seen.add(process.port)
                yield contender, process


def _write(folder: Path, started: list[Running]) -> None:
    entries = [{"pid": r.pid, "role": r.role, "born": psutil.Process(r.pid).create_time()} for r in started]
    (folder / "services.json").write_text(json.dumps(entries))


def _recorded(folder: Path) -> list[dict[str, Any]]:
    """Return what `up` has started and still runs; a process id that now means another process does not count."""
    path = folder / "services.json"
    if not path.exists():
        return []
    return [entry for entry in json.loads(path.read_text()) if _is_alive(entry)]


def _is_alive(entry: dict[str, Any]) -> bool:
    try:
        return bool(psutil.Process(entry["pid"]).create_time() == entry["born"])
    except psutil.NoSuchProcess:
        return False
