"""The settings that a contender's processes run with: its own, and those of `--set`, which reach all of them or none.

Whatever is measured, checked, predicted or recorded reads them from the contender, so that all speak of the same.
"""

from collections.abc import Iterable, Mapping
from typing import get_args

from benchmark.contenders.discovery import Contender, Process
from benchmark.errors import SettingRefused
from contract.schema import predict_path
from contract.settings import PREFIX, Architecture, Role, Settings, SettingsError, settings_from

# What the harness itself sets for every process that it starts.
SEED, STAGE_CLOCK = f"{PREFIX}MODEL_SEED", f"{PREFIX}STAGE_CLOCK"


def architecture_of(contender: Contender) -> Architecture | None:
    """Return the twin that a contender's endpoint names, or None for one of another kind."""
    return next((name for name in get_args(Architecture) if predict_path(name) == contender.endpoint), None)


def with_env(process: Process, env: Mapping[str, str]) -> Process:
    """Return a process with more in its environment."""
    return process.model_copy(update={"env": {**process.env, **env}})


def variables(settings: Mapping[str, str]) -> dict[str, str]:
    """Return settings by name as environment variables."""
    return {f"{PREFIX}{name.upper()}": value for name, value in settings.items()}


def with_variables(contender: Contender, env: Mapping[str, str]) -> Contender:
    """Return a contender with the same variables in the environment of all its processes, whatever its rows say."""
    return contender.model_copy(update={"process": tuple(with_env(process, env) for process in contender.process)})


def with_overrides(contenders: Iterable[Contender], overrides: Mapping[str, str]) -> list[Contender]:
    """Return the contenders with settings by name in all their processes.

    Raises SettingRefused for one that a contender does not take, or that a row of its own sets otherwise:
    what is recorded must be what ran.
    """
    return [_with_overrides(contender, overrides) for contender in contenders]


def swept(contenders: Iterable[Contender], name: str, values: Iterable[str]) -> list[Contender]:
    """Return each contender once for each value of a setting, labelled with it. Raises SettingRefused."""
    return [
        changed.model_copy(update={"label": f"{changed.label or changed.name}-{name}-{value}"})
        for contender in contenders
        for value in values
        for changed in with_overrides([contender], {name: value})
    ]


def settings_of(contender: Contender, role: str) -> Settings | None:
    """Return the settings of a twin's service, or None if the contender has no such process, or is no twin.

    Raises SettingRefused naming the contender.
    """
    architecture = architecture_of(contender)
    process = _process(contender, role)
    if architecture is None or process is None or role not in get_args(Role):
        return None
    return _settings(contender, process, architecture=architecture, role=role)


def environment_in(contender: Contender, process: Process) -> dict[str, str]:
    """Return what a row sets for a process, addresses filled in as far as the row's own ports tell them."""
    addresses = {other.role: f"127.0.0.1:{other.port}" for other in contender.process}
    return {name: _filled(value, process.port, addresses) for name, value in process.env.items()}


def _with_overrides(contender: Contender, overrides: Mapping[str, str]) -> Contender:
    given = variables(overrides)
    for process in contender.process:
        if SEED in process.env:
            raise SettingRefused(
                f"{contender.name} sets {SEED} for {process.role}: the durations follow from --seed, so that every "
                "contender of a block has the same; take it out of the row"
            )
        for variable, value in given.items():
            own = process.env.get(variable)
            if own is not None and own != value:
                raise SettingRefused(
                    f"--set {_name(variable)}={value}: {contender.name} sets {variable} itself for {process.role}, "
                    f"to {own!r}; leave it out, or measure contenders that do not (--contenders)"
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
                f"{contender.name} sets {variable} for {process.role}, which is no setting of a service, "
                f"expected one of {', '.join(sorted(known))}"
            )
    try:
        return settings_from(environment_in(contender, process), **values)
    except SettingsError as error:
        raise SettingRefused(f"{contender.name} does not take these settings for {process.role}: {error}") from error


def _process(contender: Contender, role: str) -> Process | None:
    return next((process for process in contender.process if process.role == role), None)


def _filled(text: str, port: int, addresses: Mapping[str, str]) -> str:
    try:
        return text.format(port=port, **addresses)
    except (KeyError, IndexError, ValueError):
        return text  # whoever starts the process says what is wrong with it


def _name(variable: str) -> str:
    return variable.removeprefix(PREFIX).lower()
