"""Which library a line of code belongs to: one table, and one rule for walking out of a stack."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

HTTP_CLIENT: Final = "HTTP client"
FRAMEWORK: Final = "framework"
SERVER: Final = "server"
REDIS_CLIENT: Final = "Redis client"
VALIDATION: Final = "JSON and validation"
OWN: Final = "our own code"
INTERPRETER: Final = "event loop, threads"
OTHER: Final = "other libraries"
KINDS: Final = (HTTP_CLIENT, FRAMEWORK, SERVER, REDIS_CLIENT, VALIDATION, OWN, INTERPRETER, OTHER)

EVENT_LOOP: Final = "event loop"
THREADS: Final = "threads"
OWN_CODE: Final = "own code"


class Library(NamedTuple):
    """A row of the figure: what it is for, and the top-level packages that are counted under its name."""

    name: str
    kind: str
    packages: tuple[str, ...]


# Installed packages. What is not listed counts under its own name, as one of the other libraries.
LIBRARIES: Final = (
    Library("httpx", HTTP_CLIENT, ("httpx", "httpcore", "h11", "anyio", "sniffio")),
    Library("requests", HTTP_CLIENT, ("requests", "urllib3", "charset_normalizer", "idna", "certifi")),
    Library(
        "aiohttp",
        HTTP_CLIENT,
        ("aiohttp", "yarl", "multidict", "frozenlist", "propcache", "aiosignal", "aiohappyeyeballs"),
    ),
    Library("flask", FRAMEWORK, ("flask", "werkzeug", "jinja2", "markupsafe", "itsdangerous", "blinker")),
    Library("fastapi", FRAMEWORK, ("fastapi", "starlette", "opentelemetry")),
    Library("gunicorn", SERVER, ("gunicorn",)),
    Library("uvicorn", SERVER, ("uvicorn", "httptools")),
    Library("redis", REDIS_CLIENT, ("redis", "hiredis")),
    Library("pydantic", VALIDATION, ("pydantic", "pydantic_core", "pydantic_settings", "annotated_types")),
    Library(EVENT_LOOP, INTERPRETER, ("uvloop",)),
)
# The parts of the standard library that are counted by themselves. All others work for their caller:
# http.client counts for urllib3 if that called it, contextlib for whoever wrote the `with`.
STANDARD: Final = (
    Library("json", VALIDATION, ("json",)),
    Library(EVENT_LOOP, INTERPRETER, ("asyncio", "selectors")),
    Library(THREADS, INTERPRETER, ("threading", "concurrent", "queue")),
)

_INSTALLED = re.compile(r"/(?:site|dist)-packages/([^/.]+)")
_STANDARD = re.compile(r"/lib(?:64)?/python3[^/]*/([^/.]+)")
_HARNESS = "/benchmark/experiments/profiling/"
_BY_PACKAGE: Final = {package: library.name for library in LIBRARIES for package in library.packages}
_BY_MODULE: Final = {module: library.name for library in STANDARD for module in library.packages}
_KINDS: Final = {library.name: library.kind for library in (*LIBRARIES, *STANDARD)} | {OWN_CODE: OWN}

# Both twins have these modules: what runs below them, runs to ask the models or to fetch features.
_STAGES: Final = {"model_client.py": "models", "features.py": "features"}
ELSEWHERE: Final = "elsewhere"


class Frame(NamedTuple):
    """One level of a call stack."""

    file: str
    function: str


def kind_of(library: str) -> str:
    """Return what a library is for."""
    return _KINDS.get(library, OTHER)


def library_of(stack: Sequence[Frame]) -> str:
    """Return the library that works at the inner end of a stack, which is given innermost first.

    Frames of the standard library work for their caller, except for the parts in STANDARD. A stack
    without any other frame is the interpreter's: threads that wait for work, or give it out.
    """
    for frame in stack:
        found = counted_as(frame.file)
        if found:
            return found
    return THREADS


def stage_of(stack: Iterable[Frame]) -> str:
    """Return the stage of the scoring handler that a stack belongs to: models, features or elsewhere."""
    for frame in stack:
        stage = _STAGES.get(frame.file.rpartition("/")[2])
        if stage and counted_as(frame.file) == OWN_CODE:
            return stage
    return ELSEWHERE


def short_path(file: str) -> str:
    """Return a path from the top-level package on, without the machine's folders."""
    for pattern in (_INSTALLED, _STANDARD):
        match = pattern.search(file)
        if match:
            return file[match.start(1) :]
    return "/".join(file.rsplit("/", 2)[-2:])


def by_kind(by_library: Mapping[str, float]) -> dict[str, float]:
    """Return the sums over libraries that serve the same purpose, in the order of KINDS."""
    sums: dict[str, float] = {}
    for library, value in by_library.items():
        sums[kind_of(library)] = sums.get(kind_of(library), 0.0) + value
    return {kind: sums[kind] for kind in KINDS if kind in sums}


def counted_as(file: str) -> str | None:
    """Return the library that a file counts for, or None if it works for its caller."""
    if file.startswith("<") or _HARNESS in file:  # frozen modules, generated code, and the wrapper of ours
        return None
    installed = _INSTALLED.search(file)
    if installed:
        return _BY_PACKAGE.get(installed[1], installed[1])
    standard = _STANDARD.search(file)
    if standard:
        return _BY_MODULE.get(standard[1])
    return OWN_CODE
