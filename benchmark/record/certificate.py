"""The certificate of the load generator: what `selftest` found on this machine, kept in results/selftest.json.

Every run notes in its manifest which certificate held when it began, so that its page can say so. That of another
machine, or one that is too old, counts as none.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import TypeAdapter, ValidationError

from benchmark.errors import RecordError, ShapeError
from benchmark.record import provenance

FILE: Final = "selftest.json"
NOTED: Final = "certificate"  # the key in a manifest
MAX_AGE_DAYS: Final = 30
HOW_TO_GET_ONE: Final = "python -m benchmark selftest"
_DECISIVE: Final = (  # what changes how fast the generator is
    ("CPU", ("machine", "cpu_model")),
    ("architecture", ("machine", "architecture")),
    ("cores", ("allowance", "cores")),
    ("kernel", ("machine", "kernel")),
    ("Python", ("python",)),
    *((name, ("packages", name)) for name in ("locust", "gevent", "geventhttpclient")),
)

State = Literal["passed", "failed", "none", "old", "other_machine"]


@dataclass(frozen=True)
class Certificate:
    """What a selftest found: how much the generator may be trusted on a machine, and up to which rate."""

    finished_utc: str
    run: str  # the name of its directory
    passed: bool
    ceiling_rps: float | None  # the highest rate that it offered on time; None if it offered none
    overhead_p50_ms: float
    overhead_p99_ms: float
    late_p99_ms: float
    worst_error_pct: float  # of mean, p50 and p99, under every law and over the stall
    bounds: Mapping[str, float]  # by what they bound
    failed: tuple[str, ...]  # the checks that it did not pass, in words
    machine: Mapping[str, Any]  # what decides whether another machine is comparable


@dataclass(frozen=True)
class Standing:
    """Which certificate holds, if any, and why the one that is there does not."""

    state: State
    certificate: Certificate | None = None
    differs: tuple[str, ...] = ()  # in what the machine of the certificate differs from this one

    @property
    def ceiling_rps(self) -> float | None:
        """The highest rate that is certified; None if nothing is known."""
        return self.certificate.ceiling_rps if self.certificate and self.state in {"passed", "failed"} else None

    def recorded(self) -> dict[str, Any]:
        """Return it for a manifest."""
        return asdict(self)


_CERTIFICATE: Final = TypeAdapter(Certificate)
_STANDING: Final = TypeAdapter(Standing)


def machine_facts(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a run's environment what decides whether its generator is comparable with another's."""
    return {name: _dig(environment, keys) for name, keys in _DECISIVE}


def standing(results: Path, environment: Mapping[str, Any], now: datetime | None = None) -> Standing:
    """Return which certificate holds in a folder of results. One that cannot be read counts as none."""
    try:
        certificate = _CERTIFICATE.validate_python(json.loads((results / FILE).read_text()))
        finished = datetime.fromisoformat(certificate.finished_utc)
        age = (now or datetime.now(UTC)) - finished
    except (OSError, ValueError, TypeError, RecursionError, ValidationError):
        return Standing("none")
    here = machine_facts(environment)
    differs = tuple(name for name, value in here.items() if certificate.machine.get(name) != value)
    if differs:
        return Standing("other_machine", certificate, differs)
    if age > timedelta(days=MAX_AGE_DAYS):
        return Standing("old", certificate)
    return Standing("passed" if certificate.passed else "failed", certificate)


def noted(manifest: Mapping[str, Any]) -> Standing:
    """Return which certificate held when a run began; none in a record that does not say."""
    try:
        return _STANDING.validate_python(manifest.get(NOTED) or {"state": "none"})
    except (ValidationError, TypeError):
        return Standing("none")


def keep(results: Path, certificate: Certificate) -> Path:
    """Keep a certificate in place of the one before, and return its path. Raises RecordError."""
    path = results / FILE
    part = path.with_name(f"{FILE}.part")
    try:
        part.write_text(json.dumps(asdict(certificate), indent=2, allow_nan=False) + "\n")
        part.replace(path)
    except OSError as error:
        raise RecordError(f"cannot write {path}: {error.strerror}") from error
    return path


def refuse_beyond_ceiling(rate_rps: float, results: Path) -> None:
    """Raise ShapeError for a rate that one load generator cannot offer on time here; nothing if none is certified."""
    if not (results / FILE).exists():
        return
    held = standing(results, provenance.environment())
    ceiling_rps = held.ceiling_rps
    if ceiling_rps is not None and held.certificate and rate_rps > ceiling_rps:
        raise ShapeError(
            f"the load rises to {rate_rps:,.0f} requests/s, but the load generator offers {ceiling_rps:,.0f} on time "
            f"here (selftest of {held.certificate.finished_utc[:10]}): choose a lower rate, or run "
            f"`{HOW_TO_GET_ONE}` again"
        )


def _dig(document: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    value: Any = document
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
