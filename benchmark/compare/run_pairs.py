"""Opens the two sides of a comparison (RUN or RUN:contender), pairs their contenders, and lists how the runs differ."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.analysis.comparable import planned_users
from benchmark.errors import RecordError
from benchmark.record.allowance import cores_text
from benchmark.record.damage import readable
from benchmark.record.run import Run


@dataclass(frozen=True)
class ComparedSide:
    """A run, and the contender to compare; None for all."""

    run: Run
    contender: str | None

    @property
    def summary(self) -> dict[str, Any]:
        return self.run.summary


def open_side(text: str) -> ComparedSide:
    """Open RUN or RUN:contender. Raises RecordError with the valid choices."""
    path, contender = (text, None) if Path(text).exists() else _split(text)
    with readable(Path(path)):
        run = Run.open(Path(path))
        known = list(run.summary["contenders"])
    if contender is not None and contender not in known:
        raise RecordError(f"{path} has no contender {contender!r}; choose from {', '.join(known)}")
    return ComparedSide(run, contender)


def pair_up(a: ComparedSide, b: ComparedSide) -> list[tuple[str, str]]:
    """Return which contender of A is compared with which of B. Raises RecordError if there is none."""
    commands = [side.run.manifest["command"] for side in (a, b)]
    if commands[0] != commands[1]:
        raise RecordError(
            f"{a.run.path.name} is a run of `{commands[0]}`, but {b.run.path.name} is one of `{commands[1]}`: "
            "choose two runs of the same command"
        )
    if a.contender or b.contender:
        names = (a.contender or b.contender or "", b.contender or a.contender or "")
        for side, name in zip((a, b), names, strict=True):
            if name not in side.summary["contenders"]:
                choices = ", ".join(side.summary["contenders"])
                raise RecordError(f"{side.run.path.name} has no contender {name!r}; choose from {choices}")
        return [names]
    both = [name for name in _real(a) if name in b.summary["contenders"]]
    if not both:
        raise RecordError("the two runs have no contender in common: name one of each, such as RUN:sync RUN:async")
    return [(name, name) for name in both]


def only_in_a(a: ComparedSide, b: ComparedSide) -> list[str]:
    """Return the contenders of run A that run B does not have, if whole runs are compared."""
    named = a.contender or b.contender
    return [] if named else [name for name in _real(a) if name not in b.summary["contenders"]]


def circumstances(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """Return how run B differs from run A apart from its contenders, from their manifests."""
    found = []
    for name, keys in _CIRCUMSTANCES.items():
        values = [_dig(manifest, keys) for manifest in (a, b)]
        if values[0] != values[1]:
            found.append(f"{name}: {_short(values[0])}, then {_short(values[1])}")
    found += _limits(a.get("environment") or {}, b.get("environment") or {})
    users = [planned_users(manifest) for manifest in (a, b)]
    if users[0] != users[1]:
        found.append(f"users: {users[0]}, then {users[1]}; so peaks are not compared")
    packages = [_dig(manifest, ("environment", "packages")) or {} for manifest in (a, b)]
    changed = sorted(n for n in {*packages[0], *packages[1]} if packages[0].get(n) != packages[1].get(n))
    if changed:
        found.append(f"packages: {', '.join(changed[:6])}{' and others' if len(changed) > 6 else ''}")
    return found


_CIRCUMSTANCES = {
    "commit": ("environment", "git", "commit"),
    "CPU": ("environment", "machine", "cpu_model"),
    "kernel": ("environment", "machine", "kernel"),
    "Python": ("environment", "python"),
    "settings": ("settings", "services"),
    "scale": ("plan", "scale"),
    "the rate over time": ("plan", "shape"),
}


def _limits(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """Return how two runs differ in what they could use of their machines. Older records tell only of the cores."""
    texts = [("cores", cores_text(a), cores_text(b))]
    if a.get("allowance") and b.get("allowance"):
        texts += [(name, *(_dig(each, keys) for each in (a, b))) for name, keys in _LIMITS.items()]
    return [f"{name}: {one}, then {other}" for name, one, other in texts if one != other]


_LIMITS = {
    "CPU quota [cores]": ("allowance", "cpu_quota_cores"),
    "memory limit [GB]": ("allowance", "memory_limit_gb"),
    "frequency governor": ("allowance", "frequency_governor"),
    "open files": ("open_files", "soft"),
}


def _real(side: ComparedSide) -> list[str]:
    """Return a run's contenders without those that measure the harness itself."""
    return [name for name, entry in side.summary["contenders"].items() if not entry.get("harness_floor")]


def _split(text: str) -> tuple[str, str | None]:
    path, colon, contender = text.rpartition(":")
    return (path, contender) if colon else (text, None)


def _dig(document: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    value: Any = document
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _short(value: object) -> str:
    return str(value)[:12] if isinstance(value, str) and len(value) == 40 else str(value)
