"""What doc/security.md says of the code, where no other test holds it already."""

import ast
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from benchmark.contenders.discovery import ROOT
from feature_store.server import HOST

CONTAINERS = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())["services"]
SERVED = [
    path for folder in ("contract", "feature_store", "sync", "async") for path in sorted((ROOT / folder).rglob("*.py"))
]
UNSAFE_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
UNSAFE_CALLS = {"eval", "exec", "compile", "__import__", "system", "popen"}
UNSAFE_WORDS = {"shell", "verify"}  # of a call: shell=True, verify=False


def _is_context(word: ast.keyword) -> bool:
    """Whether certificates are verified, by a context that was made for that."""
    return word.arg == "verify" and isinstance(word.value, ast.Name) and word.value.id == "ssl_context"


def unsafe(text: str) -> list[str]:
    """Return what in a program runs or unpacks what somebody else may have written."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            found += [name for name in names if name.partition(".")[0] in UNSAFE_MODULES]
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            of_re = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") == "re"
            found += [name] if name in UNSAFE_CALLS and not of_re else []
            found += [word.arg for word in node.keywords if word.arg in UNSAFE_WORDS and not _is_context(word)]
    return found


@pytest.mark.parametrize("path", SERVED, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_service_evaluates_and_unpickles_nothing(path: Path) -> None:
    assert unsafe(path.read_text()) == []


@pytest.mark.parametrize(
    "text",
    ["import pickle", "from marshal import loads", "eval('1')", "os.system('ls')", "run('ls', shell=True)",
     "requests.get(url, verify=False)"],
)  # fmt: skip
def test_what_would_is_found(text: str) -> None:
    assert unsafe(text) != []


def test_a_service_of_the_twins_is_among_what_is_looked_at() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in SERVED}
    assert {"sync/sync_api/scoring.py", "async/async_api/scoring.py", "contract/schema.py"} <= names


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_is_not_root_and_writes_only_where_it_must(name: str) -> None:
    service = CONTAINERS[name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"] == ("0:0" if name == "jobs-folders" else "10001:10001")  # it ends before others start


@pytest.mark.parametrize("file", ["service.Dockerfile", "tools.Dockerfile"])
def test_an_image_has_no_pip_and_another_user_than_root(file: str) -> None:
    text = (ROOT / "docker" / file).read_text()
    assert "venv --without-pip /opt/venv" in text
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["10001:10001"]


def test_redis_of_the_project_listens_on_loopback() -> None:
    assert HOST == "127.0.0.1"


def test_the_web_ui_of_locust_listens_on_loopback_unless_it_is_opened() -> None:
    for given, address in (((), "127.0.0.1"), (("WEB_HOST=0.0.0.0",), "0.0.0.0")):
        said = subprocess.run(["make", "-n", "locust-ui", *given], cwd=ROOT, capture_output=True, text=True, check=True)
        assert re.findall(r"--web-host (\S+)", said.stdout) == [address]


def test_installation_refuses_what_the_locks_do_not_name() -> None:
    for path in ("requirements/install.py", "docker/install.sh", "noxfile.py", "requirements/audit.py"):
        assert "--require-hashes" in (ROOT / path).read_text(), path
