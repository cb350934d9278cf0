"""A run directory that was damaged: a sentence that names the file, in place of a traceback.

Disks fill up, copies are interrupted, files are deleted or edited. Who reads a run says `readable(run folder)` around
it: what then fails is a RecordError that names the first file that is no longer what a run writes.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from benchmark.errors import BenchmarkError, RecordError

WHAT_TO_DO: Final = "restore it from a copy, or measure again"
# What else is in a manifest may be missing in older records, but is never of another kind.
_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "command": (str,),
    "started_utc": (str,),
    "finished_utc": (str,),
    "command_line": (str,),
    "seed": (int,),
    "busy_before_start": (int, float),
    "interrupted": (bool,),
    **dict.fromkeys(("plan", "contenders", "scenarios", "settings", "environment", "explain"), (dict,)),
}
_ALWAYS: Final = {
    "manifest.json": (
        *("command", "started_utc", "seed", "plan", "contenders", "settings", "environment"),
        "busy_before_start",
    ),
    "summary.json": ("started_utc", "valid", "complete"),
}
_NAMES: Final = {dict: "an object", str: "a text", int: "a number", float: "a number", bool: "true or false"}


def check_manifest(path: Path, manifest: Mapping[str, Any]) -> None:
    """Raise RecordError if an entry of a manifest is of another kind than a run writes."""
    for name, kinds in _KINDS.items():
        value = manifest.get(name)
        if value is not None and not isinstance(value, kinds):
            found = type(value).__name__
            raise RecordError(
                f"{path / 'manifest.json'}: {name} is of type {found}, expected {_NAMES[kinds[0]]}: {WHAT_TO_DO}"
            )


def parse_lines(path: Path, text: str) -> list[dict[str, Any]]:
    """Return the documents of a file with a JSON object on each line. Raises RecordError."""
    documents = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            document = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise RecordError(f"{path}, line {number} is no JSON ({error}): {WHAT_TO_DO}") from error
        if not isinstance(document, dict):
            raise RecordError(f"{path}, line {number} is not a JSON object: {WHAT_TO_DO}")
        documents.append(document)
    return documents


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Raise RecordError with the name of a file if it cannot be read, or holds something else than a run writes."""
    try:
        yield
    except BenchmarkError:
        raise
    except Exception as error:  # whatever the content of a file may cause
        raise RecordError(f"{path} cannot be read ({_said(error)}): {WHAT_TO_DO}") from error


@contextlib.contextmanager
def readable(*folders: Path) -> Iterator[None]:
    """Raise RecordError where the records in run directories do not fit together, naming the file if one is broken."""
    try:
        yield
    except RecordError:
        raise
    except Exception as error:  # whatever the content of a file may cause
        broken = [sentence for folder in folders for sentence in (*_broken(folder), *_incomplete(folder))]
        where = broken[0] if broken else f"{' or '.join(map(str, folders))}: manifest.json or a record does not fit"
        raise RecordError(f"{where} ({_said(error)}): {WHAT_TO_DO}") from error


def _broken(folder: Path) -> Iterator[str]:
    """Yield a beginning of a sentence for each file of a run that cannot be read as what its name says."""
    for path in sorted(each for each in folder.rglob("*") if each.suffix in {".json", ".jsonl", ".csv"}):
        try:
            if path.suffix == ".csv":
                pd.read_csv(path)
            elif path.suffix == ".json":
                json.loads(path.read_text())
            else:
                parse_lines(path, path.read_text().rpartition("\n")[0])
        except pd.errors.EmptyDataError:
            continue  # as a disk that was full leaves it
        except (BenchmarkError, OSError, ValueError, RecursionError):
            yield f"{path} is damaged"


def _incomplete(folder: Path) -> Iterator[str]:
    """Yield a beginning of a sentence for what a run lacks of what every run writes."""
    for name, always in _ALWAYS.items():
        with contextlib.suppress(OSError, ValueError, RecursionError):
            document = json.loads((folder / name).read_text())
            missing = [key for key in always if key not in document]
            if missing:
                yield f"{folder / name} lacks {', '.join(missing)}"
    for name in ("samples", "resources"):
        if not (folder / name).is_dir():
            yield f"{folder / name} is no folder any more"
    for path in sorted(folder.glob("*.jsonl")):
        with contextlib.suppress(BenchmarkError, OSError, ValueError):
            documents = parse_lines(path, path.read_text().rpartition("\n")[0])
            for number, document in enumerate(documents, 1):
                if not document or not document.keys() & documents[0].keys() or len(document) * 2 < len(documents[0]):
                    yield f"{path}, line {number} is not what a run writes"


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
