"""The settings of a contender's processes: those of its row, and those of `--set`, which apply to all or to none.

All code that measures, checks, predicts or records reads them from the contender, so that they cannot differ.
"""

from collections.abc import Iterable, Mapping
from typing import get_args

from benchmark.contenders.discovery import Contender, Process
from benchmark.errors import SettingRefused
from contract.schema import predict_path
from contract.settings import PREFIX, Architecture, Role, Settings, SettingsError, default_in_flight, settings_from

# The harness sets these for every process that it starts.
SEED, STAGE_CLOCK = f"{PREFIX}MODEL_SEED", f"{PREFIX}STAGE_CLOCK"


def architecture_of(contender: Contender) -> Architecture | None:
    """Return the architecture in a contender's endpoint, or None if it is not one of the twins."""
    return next((name for name in get_args(Architecture) if predict_path(name) == contender.endpoint), None)


def with_env(process: Process, env: Mapping[str, str]) -> Process:
    """Return a process with additional environment variables."""
    return process.model_copy(update={"env": {**process.env, **env}})


def variables(settings: Mapping[str, str]) -> dict[str, str]:
    """Return settings as environment variables."""
    return {f"{PREFIX}{name.upper()}": value for name, value in settings.items()}


def with_variables(contender: Contender, env: Mapping[str, str]) -> Contender:
    """Return a contender with these variables in all its processes, overriding its row."""
    return contender.model_copy(update={"process": tuple(with_env(process, env) for process in contender.process)})


def with_room_for(contender: Contender, at_once: int) -> Contender:
    """Return a contender whose scoring handler lets in twice as many requests at once, unless its row sets a limit.

    A closed loop of more users than the limit would measure how fast a service refuses them. Twice, since the next
    request of a user may arrive before the handler of the one before has given back its place.
    """

    settings = settings_of(contender, "scoring")
    usual = settings.max_in_flight if settings else default_in_flight("sync", "scoring")

    def room(process: Process) -> Process:
        own = PREFIX + "MAX_IN_FLIGHT"
        if process.role != "scoring" or own in process.env or 2 * at_once <= usual:
            return process
        return with_env(process, {own: str(2 * at_once)})

    return contender.model_copy(update={"process": tuple(map(room, contender.process))})


def with_overrides(contenders: Iterable[Contender], overrides: Mapping[str, str]) -> list[Contender]:
    """Return the contenders with these settings in all their processes.

    Raises SettingRefused for a setting that a contender does not accept, or that its row sets to another value: the
    record must show the settings that were used.
    """
    return [_with_overrides(contender, overrides) for contender in contenders]


def swept(contenders: Iterable[Contender], name: str, values: Iterable[str]) -> list[Contender]:
    """Return each contender once per value of a setting, with the value in its label. Raises SettingRefused."""
    return [
        changed.model_copy(update={"label": f"{changed.label or changed.name}-{name}-{value}"})
        for contender in contenders
        for value in values
        for changed in with_overrides([contender], {name: value})
    ]


def settings_of(contender: Contender, role: str) -> Settings | None:
    """Return the settings of a twin's service, or None if there is no such process, or the contender is not a twin.

    Raises SettingRefused naming the contender.
    """
    architecture = architecture_of(contender)
    process = _process(contender, role)
    if architecture is None or process is None or role not in get_args(Role):
        return None
    return _settings(contender, process, architecture=architecture, role=role)


def environment_in(contender: Contender, process: Process) -> dict[str, str]:
    """Return the environment of a process in its row, with the addresses of the row's own processes filled in."""
    addresses = {other.role: f"127.0.0.1:{other.port}" for other in contender.process}
    return {name: _filled(value, process.port, addresses) for name, value in process.env.items()}


def _with_overrides(contender: Contender, overrides: Mapping[str, str]) -> Contender:
    given = variables(overrides)
    for process in contender.process:
        if SEED in process.env:
            raise SettingRefused(
                f"{contender.name} sets {SEED} for {process.role}, but the harness derives it from --seed, so that all "
                "contenders of a block draw the same durations: remove it from the row"
            )
        for variable, value in given.items():
            own = process.env.get(variable)
            if own is not None and own != value:
                raise SettingRefused(
                    f"--set {_name(variable)}={value}: the row of {contender.name} sets {variable} to {own!r} for "
                    f"{process.role}: omit the setting, or choose other contenders (--contenders)"
                )
    changed = with_variables(contender, given)
    for role in get_args(Role):
        settings_of(changed, role)
    return changed


def _settings(contender: Contender, process: Process, **values: object) -> Settings:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    for variable in process.env:
        if variable.startswith(PREFIX) and variable not in known:
            raise SettingRefused(
                f"{contender.name} sets {variable} for {process.role}, which is not a setting of a service, "
                f"expected one of {', '.join(sorted(known))}"
            )
    try:
        return settings_from(environment_in(contender, process), **values)
    except SettingsError as error:
        raise SettingRefused(f"{contender.name} rejects these settings for {process.role}: {error}") from error


def _process(contender: Contender, role: str) -> Process | None:
    return next((process for process in contender.process if process.role == role), None)


def _filled(text: str, port: int, addresses: Mapping[str, str]) -> str:
    try:
        return text.format(port=port, **addresses)
    except (KeyError, IndexError, ValueError):
        return text  # starting the process reports the error


def _name(variable: str) -> str:
    return variable.removeprefix(PREFIX).lower()
