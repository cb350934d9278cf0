"""What a run sets out to do, on what: written before anything is measured."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from benchmark import provenance
from benchmark.contenders import ROOT, Contender
from benchmark.record import utc_now
from contract.settings import PREFIX, Settings, make_settings


def make_manifest(
    contenders: Sequence[Contender], seed: int, plan: Mapping[str, Any], service_settings: Mapping[str, str]
) -> dict[str, Any]:
    """Return the manifest of a run that is about to start; probes how busy the machine is."""
    return {
        "started_utc": utc_now(),
        "command_line": " ".join(["python -m benchmark", *sys.argv[1:]]),
        "seed": seed,
        "plan": dict(plan),
        "contenders": {c.label: c.model_dump(mode="json", exclude={"folder"}) for c in contenders},
        "settings": {
            "services": dict(service_settings),
            "defaults": settings_of_services(service_settings).model_dump(mode="json"),
        },
        "busy_before_start": provenance.busy_share(),
        "environment": provenance.environment(),
    }


def recorded_contenders(manifest: Mapping[str, Any]) -> list[Contender]:
    """Return the contenders as they were when a run was recorded."""
    return [Contender(folder=ROOT, **row) for row in manifest["contenders"].values()]


def settings_of_services(overrides: Mapping[str, str]) -> Settings:
    """Return the settings that the services get: from overrides by name, never from the user's shell."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    return make_settings(**{name.lower(): value for name, value in overrides.items()})


def service_environment(overrides: Mapping[str, str]) -> dict[str, str]:
    """Return the same overrides as environment variables."""
    return {f"{PREFIX}{name.upper()}": value for name, value in overrides.items()}
