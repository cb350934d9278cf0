"""Which contenders `up` starts, with which settings and on which ports."""

import os
from collections.abc import Mapping

from dotenv import dotenv_values

from benchmark.contenders.discovery import ROOT, Contender, Process, choose
from benchmark.contenders.service_settings import with_overrides
from benchmark.errors import ServicesError
from benchmark.stack import background
from benchmark.stack.processes import free_port
from contract.settings import PREFIX, Settings


def to_start(names: str, settings: Mapping[str, str], free_ports: bool = False) -> dict[str, Contender]:
    """Return the contenders by label. Raises BenchmarkError for what would be ignored."""
    _refuse_unread()
    known = background.known_contenders()
    chosen = choose([name.strip() for name in names.split(",")], known) if names else background.served(known.values())
    changed = with_overrides(chosen, settings)
    if free_ports:
        changed = [_moved(contender) for contender in changed]
    _refuse_shared(changed)
    return {contender.label or contender.name: contender for contender in changed}


def unread_settings() -> list[str]:
    """Return the variables of the shell and of .env by which services are set and no command passes on.

    Those that hold the default do not count, since they would change nothing.
    """
    given = {**dotenv_values(ROOT / ".env"), **os.environ}
    fields = {f"{PREFIX}{name}".upper(): field for name, field in Settings.model_fields.items()}
    return [n for n, value in given.items() if n in fields and value and value != str(fields[n].default)]


def _refuse_unread() -> None:
    """Refuse settings in the shell and in .env: they would change nothing here."""
    if unread := unread_settings():
        are = "is" if len(unread) == 1 else "are"
        raise ServicesError(
            f"{', '.join(unread)} {are} set in the shell or in .env, which `up` does not read: remove that, and give "
            "settings with --set (doc/settings.md)"
        )


def _moved(contender: Contender) -> Contender:
    processes = tuple(process.model_copy(update={"port": free_port()}) for process in contender.process)
    return contender.model_copy(update={"process": processes})


def _refuse_shared(contenders: list[Contender]) -> None:
    seen: dict[int, tuple[str, Process]] = {}
    for contender in contenders:
        for process in contender.process:
            other, same = seen.setdefault(process.port, (contender.name, process))
            if process != same:
                raise ServicesError(
                    f"{other} and {contender.name} both use port {process.port} for their {process.role}: name one of "
                    "them, or use --free-ports"
                )
