"""A service's OpenAPI document -> what is asked of it."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmark.errors import ScenarioError
from benchmark.scenario_init.asked import Asked
from benchmark.scenario_init.openapi import fetch_document, read_operation

_BODIES: Final = 64
_VARIABLE = re.compile(r"(.*)env:([A-Za-z_][A-Za-z0-9_]*)")


def asked_of(
    url: str, headers: Mapping[str, str], openapi: str, operation: str, seed: int, bodies: Path | None
) -> Asked:
    """Return what is asked of a service. Raises ServiceRefused or ScenarioError."""
    _, document = fetch_document(openapi or url, _filled(headers))
    asked = read_operation(document, operation, seed, _BODIES if bodies else 1)
    asked.url = url.rstrip("/") if "://" in url else ""
    return asked


def _filled(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers with the values of their variables. Raises ScenarioError for one that is not set."""
    found = {}
    for name, value in headers.items():
        match = _VARIABLE.fullmatch(value)
        if match and not os.environ.get(match[2]):
            raise ScenarioError(f"--header {name} needs the environment variable {match[2]}, which is not set")
        found[name] = match[1] + os.environ[match[2]] if match else value
    return found
