"""Which library a stack counts for."""

import pytest

from benchmark.experiments.profiling.libraries import (
    EVENT_LOOP,
    HTTP_CLIENT,
    INTERPRETER,
    KINDS,
    LIBRARIES,
    OTHER,
    OWN,
    OWN_CODE,
    STANDARD,
    THREADS,
    Frame,
    by_kind,
    kind_of,
    library_of,
    short_path,
    stage_of,
)

SITE = "/home/me/.venv/lib/python3.11/site-packages"
STDLIB = "/usr/lib/python3.11"
OURS = "/home/me/project"
THREAD_START = (f"{STDLIB}/threading.py", f"{STDLIB}/threading.py")


def stack(*files: str) -> list[Frame]:
    """Return a stack, innermost first."""
    return [Frame(file, "f") for file in files]


@pytest.mark.parametrize(
    ("file", "library"),
    [
        (f"{SITE}/httpcore/_async/connection_pool.py", "httpx"),
        (f"{SITE}/anyio/_backends/_asyncio.py", "httpx"),
        (f"{SITE}/sniffio/_impl.py", "httpx"),
        (f"{SITE}/urllib3/connectionpool.py", "requests"),
        (f"{SITE}/yarl/_url.py", "aiohttp"),
        (f"{SITE}/werkzeug/routing/map.py", "flask"),
        (f"{SITE}/starlette/routing.py", "fastapi"),
        (f"{SITE}/gunicorn/http/parser.py", "gunicorn"),
        (f"{SITE}/uvicorn/protocols/http/httptools_impl.py", "uvicorn"),
        (f"{SITE}/uvloop/__init__.py", EVENT_LOOP),
        (f"{SITE}/redis/asyncio/connection.py", "redis"),
        (f"{SITE}/pydantic/type_adapter.py", "pydantic"),
        (f"{SITE}/typing_extensions.py", "typing_extensions"),
        (f"{STDLIB}/json/decoder.py", "json"),
        (f"{STDLIB}/asyncio/streams.py", EVENT_LOOP),
        (f"{STDLIB}/selectors.py", EVENT_LOOP),
        (f"{STDLIB}/queue.py", THREADS),
        (f"{STDLIB}/concurrent/futures/thread.py", THREADS),
        (f"{OURS}/contract/schema.py", OWN_CODE),
        (f"{OURS}/feature_store/codec.py", OWN_CODE),
    ],
)
def test_the_innermost_library_counts(file: str, library: str) -> None:
    assert library_of(stack(file, f"{SITE}/flask/app.py", *THREAD_START)) == library


def test_the_standard_library_works_for_its_caller() -> None:
    inner = (f"{STDLIB}/socket.py", f"{STDLIB}/http/client.py")
    assert library_of(stack(*inner, f"{SITE}/urllib3/connection.py", f"{OURS}/sync_api/model_client.py")) == "requests"
    assert library_of(stack(*inner, f"{SITE}/gunicorn/http/unreader.py")) == "gunicorn"
    assert library_of(stack(f"{STDLIB}/contextlib.py", f"{OURS}/contract/timing.py")) == OWN_CODE


def test_generated_code_and_frozen_modules_work_for_their_caller() -> None:
    assert library_of(stack("<frozen importlib._bootstrap>", "<string>", f"{SITE}/redis/client.py")) == "redis"


def test_the_wrapper_of_the_experiment_counts_for_nobody() -> None:
    wrapper = f"{OURS}/benchmark/experiments/profiling/recorders.py"
    served_by = "/".join((SITE, "gunicorn", "workers", "gthread.py"))
    assert library_of(stack(wrapper, served_by)) == "gunicorn"


def test_a_thread_without_anything_but_the_standard_library_is_the_interpreters() -> None:
    assert library_of(stack(*THREAD_START)) == THREADS
    assert library_of(stack(f"{STDLIB}/runpy.py")) == THREADS


def test_a_virtual_environment_inside_the_project_is_not_our_own_code() -> None:
    assert library_of(stack(f"{OURS}/.venv/lib/python3.11/site-packages/httpx/_client.py")) == "httpx"


def test_every_package_is_listed_once_and_every_library_has_a_kind() -> None:
    for table in (LIBRARIES, STANDARD):
        packages = [package for library in table for package in library.packages]
        assert len(packages) == len(set(packages))
        assert all(library.kind in KINDS for library in table)


def test_what_is_not_listed_counts_under_its_own_name_as_other() -> None:
    assert kind_of("orjson") == OTHER
    assert kind_of(OWN_CODE) == OWN


def test_kinds_add_up_what_serves_the_same_purpose_in_a_fixed_order() -> None:
    sums = by_kind({THREADS: 1.0, EVENT_LOOP: 2.0, "httpx": 4.0})
    assert sums == {HTTP_CLIENT: 4.0, INTERPRETER: 3.0}
    assert list(sums) == [HTTP_CLIENT, INTERPRETER]


def test_a_stage_is_the_module_of_ours_that_asks() -> None:
    assert stage_of(stack(f"{SITE}/httpx/_client.py", f"{OURS}/async_api/model_client.py")) == "models"
    assert stage_of(stack(f"{SITE}/redis/client.py", f"{OURS}/sync_api/features.py")) == "features"
    assert stage_of(stack(f"{SITE}/redis/features.py", f"{SITE}/flask/app.py")) == "elsewhere"


def test_paths_are_shown_without_the_machines_folders() -> None:
    assert short_path(f"{SITE}/httpx/_client.py") == "httpx/_client.py"
    assert short_path(f"{STDLIB}/asyncio/runners.py") == "asyncio/runners.py"
    assert short_path(f"{OURS}/contract/schema.py") == "contract/schema.py"
