"""What all pages have in common: templates, the machine in a line, and how a page is written."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmark.analysis.reasons import merged
from benchmark.analysis.wording import MISSING, first_line, unbroken
from benchmark.errors import RecordError
from benchmark.record.allowance import cores_text, limits_text
from benchmark.report.certificate import generator_line
from benchmark.report.charts.picture import Draw, headline_files

REPORT_NAME: Final = "report.html"
_TEMPLATES: Final = Path(__file__).parent / "templates"


def write_page(folder: Path, html: str, headline: Draw | None = None) -> Path:
    """Write the page of a folder, and its headline figure; return the path of the page.

    Readers never see half of it. Raises RecordError.
    """
    for name, svg in headline_files(headline).items() if headline else ():
        write_whole(folder / name, svg.encode())
    return write_whole(folder / REPORT_NAME, html.encode())


def templates(*folders: Path) -> Environment:
    """Return the template environment of every page: it escapes, and a missing name is an error.

    Templates are found in the folders that are named, and in those that all pages share.
    """
    environment = Environment(
        loader=FileSystemLoader([*folders, _TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(unbroken=unbroken, first_line=first_line, merged=merged, generator_line=generator_line)
    return environment


def machine_line(environment: Mapping[str, Any]) -> str:
    """Return the machine in one line, leaving out what was not recorded."""
    machine = environment.get("machine") or {}
    parts = [
        machine.get("cpu_model"),
        cores_text(environment),
        f"{machine['memory_gb']} GB" if machine.get("memory_gb") else None,
        *limits_text(environment),
        machine.get("os"),
        f"kernel {machine['kernel']}" if machine.get("kernel") else None,
        f"Python {environment['python']}" if environment.get("python") else None,
    ]
    return ", ".join(str(part) for part in parts if part) or MISSING


def write_whole(target: Path, content: bytes) -> Path:
    """Write a file whole or not at all, and return its path. Raises RecordError."""
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        draft.replace(target)
    except OSError as error:
        raise RecordError(f"cannot write {target}: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)
    return target
