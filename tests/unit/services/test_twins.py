"""The twins mirror each other, so that a plain diff of their packages shows what waiting means in code."""

import ast
import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import pytest
from fastapi.routing import APIRoute
from werkzeug.routing import Rule

import async_api.serve
import sync_api.serve
from contract.settings import Role, load_settings

ROLES: tuple[Role, ...] = get_args(Role)
PACKAGES = {package.__name__: Path(package.__path__[0]) for package in (sync_api, async_api)}
# A twin on another server is a contender, which the other one has no counterpart of.
ON_ANOTHER_SERVER = {"granian_server", "gevent_server"}
BELOW_A_LIBRARY = {"connections"}  # what the HTTP clients of one twin lack, and those of the other do not
MODULES = sorted(
    {path.stem for folder in PACKAGES.values() for path in folder.glob("*.py")} - ON_ANOTHER_SERVER - BELOW_A_LIBRARY
)
ONLY_A_THREAD = "timeout_s"  # is told how long it may wait; a task is cancelled from outside
OF_ONE_SERVER = re.compile(r"server\.[A-Z]\w*")  # classes derived from those of gunicorn or uvicorn


def public(module: str, source: str) -> list[str]:
    """Return a module's public functions, classes and methods with their parameters, in order.

    A transport bears the name of its library, so it is listed as what it is.
    """
    lines = []
    for node in ast.parse(source).body:
        name = getattr(node, "name", "_")
        if name.startswith("_") or OF_ONE_SERVER.fullmatch(f"{module}.{name}"):
            continue
        if isinstance(node, ast.ClassDef):
            shown = "<library>Transport" if name.endswith("Transport") and name != "Transport" else name
            lines.append(f"class {shown}")
            lines += [f"{shown}.{signature(method)}" for method in methods(node)]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines.append(signature(node))
    return lines


def methods(node: ast.ClassDef) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [
        method
        for method in node.body
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
        and (method.name == "__init__" or not method.name.startswith("_"))
    ]


def signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return f"{node.name}({', '.join(each.arg for each in parameters if each.arg != ONLY_A_THREAD)})"


def test_the_twins_have_the_same_modules() -> None:
    here, there = ({path.stem for path in folder.glob("*.py")} - ON_ANOTHER_SERVER for folder in PACKAGES.values())
    assert here == there, f"only in one of the twins: {', '.join(sorted(here ^ there))}"


@pytest.mark.parametrize("module", MODULES)
def test_the_twins_have_the_same_public_names_in_the_same_order(module: str) -> None:
    ours, theirs = (public(module, (folder / f"{module}.py").read_text()) for folder in PACKAGES.values())
    difference = "\n".join(difflib.unified_diff(ours, theirs, "sync_api", "async_api", lineterm="", n=0))
    assert ours == theirs, f"{module}.py differs:\n{difference}"


@pytest.mark.parametrize("role", ROLES)
def test_the_twins_have_the_same_routes(role: Role) -> None:
    assert flask_routes(role) == fastapi_routes(role)


def flask_routes(role: Role) -> set[tuple[str, ...]]:
    """Return path and methods of every route of the sync twin, written as the async twin would."""
    rules: Iterable[Rule] = sync_api.serve.create_app(load_settings("sync", role, gc_freeze=False)).url_map.iter_rules()
    return {
        (rule.rule.replace("<", "{").replace(">", "}").replace("/sync/", "/async/"), *sorted(rule.methods or ()))
        for rule in rules
    }


def fastapi_routes(role: Role) -> set[tuple[str, ...]]:
    """Return path and methods of every route of the async twin, without having started it."""
    included = async_api.serve.create_app(load_settings("async", role)).routes
    routes = [route for router in included for route in router.original_router.routes]  # type: ignore[attr-defined]
    assert all(isinstance(route, APIRoute) for route in routes)
    return {(route.path, *sorted(route.methods or ())) for route in routes if isinstance(route, APIRoute)}


def test_public_names_are_listed_with_their_parameters() -> None:
    assert public("x", "def a(b): ...\nclass C:\n  async def d(self, *, e): ...\n  def _f(self): ...") == [
        "a(b)",
        "class C",
        "C.d(self, e)",
    ]
    assert public("x", "def _a(): ...\nB = 1") == []
