"""Variants of contenders: the same processes with other settings."""

from collections.abc import Mapping

from benchmark.contenders.discovery import Contender, Process
from benchmark.contenders.service_settings import architecture_of, with_env
from benchmark.errors import ContenderError
from contract.settings import PREFIX, Settings, settings_from


def with_settings(contender: Contender, settings: Mapping[str, Mapping[str, str]]) -> Contender:
    """Return a contender with additional variables by role. Raises ContenderError for an unknown role."""
    roles = [process.role for process in contender.process]
    for role in settings:
        if role not in roles:
            raise ContenderError(f"{contender.name} has no process of the role {role!r}, expected one of {roles}")
    processes = tuple(with_env(process, settings.get(process.role, {})) for process in contender.process)
    return contender.model_copy(update={"process": processes})


def value_in(contender: Contender, process: Process, variable: str) -> str:
    """Return the value of a variable in a contender's process: from its row, or the default."""
    if variable in process.env:
        return process.env[variable]
    kind, name = architecture_of(contender), variable.removeprefix(PREFIX).lower()
    if not variable.startswith(PREFIX) or name not in Settings.model_fields or kind is None:
        raise ContenderError(f"{contender.name} does not set {variable} for {process.role}, and it has no default")
    return str(getattr(settings_from({}, architecture=kind, role=process.role), name))
