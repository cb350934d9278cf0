"""The manifest of a run: plan, settings and machine, written before anything is measured."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.contenders.discovery import ROOT, Contender
from benchmark.contenders.service_settings import variables, with_env
from benchmark.record import provenance
from benchmark.record.run import utc_now
from benchmark.scenarios.discovery import scenario_of
from contract.settings import loggable, settings_from


def make_manifest(
    contenders: Sequence[Contender],
    seed: int,
    plan: Mapping[str, Any],
    service_settings: Mapping[str, str],
    busy: float,
) -> dict[str, Any]:
    """Return the manifest of a run that is about to start, on a machine of which a share is `busy`."""
    return {
        "started_utc": utc_now(),
        "command_line": f"python -m benchmark {shlex.join(sys.argv[1:])}".rstrip(),
        "seed": seed,
        "plan": dict(plan),
        "contenders": {c.label: c.model_dump(mode="json", exclude={"folder", "place"}) for c in contenders},
        "scenarios": {each.name: each.recorded() for each in map(scenario_of, contenders)},
        "settings": {
            "services": dict(service_settings),
            # Without the HTTP client: its default depends on the twin.
            "defaults": loggable(
                settings_from(variables({name: v for name, v in service_settings.items() if name != "http_client"}))
            ),
        },
        "busy_before_start": busy,
        "environment": provenance.environment(),
    }


def recorded_contenders(manifest: Mapping[str, Any]) -> list[Contender]:
    """Return the contenders of a recorded run, with all settings that they ran with."""
    # Older records have the protocol here instead of in the scenario.
    asked = [{key: value for key, value in row.items() if key != "protocol"} for row in manifest["contenders"].values()]
    rows = [Contender(folder=ROOT, **row) for row in asked]
    shared = variables(manifest["settings"]["services"])
    # Older records store the settings of `--set` separately from the rows.
    return [
        row.model_copy(update={"process": tuple(with_env(p, {**shared, **p.env}) for p in row.process)}) for row in rows
    ]
