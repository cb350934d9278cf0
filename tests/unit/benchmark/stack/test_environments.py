"""A contender that cannot share our packages gets an environment of its own: built once, whole, or not at all."""

import base64
import hashlib
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmark.contenders.discovery import ROOT
from benchmark.errors import NotAvailable
from benchmark.stack import environments
from benchmark.stack.environments import environment_of, is_built, python_for

LOCKED = "locked==1.0 --hash=sha256:" + 64 * "0" + "\n"


class Pip:
    """Takes the place of `python -m venv` and of pip, and counts how often it is called."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.fails = False
        self.meanwhile: Callable[[], None] = lambda: None

    def __call__(self, argv: list[str], lock: Path) -> None:
        self.calls.append(argv)
        if argv[2] == "venv":
            python = Path(argv[3]) / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.symlink_to(sys.executable)
            return
        self.meanwhile()
        if self.fails:
            raise NotAvailable("there is no network")


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Pip:
    pip = Pip()
    monkeypatch.setattr(environments, "_run", pip)
    monkeypatch.setattr(environments, "_refused", {})
    return pip


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    folder = tmp_path / "hub"
    folder.mkdir()
    lock = folder / "gibbs.txt"
    lock.write_text(LOCKED)
    return lock


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "environments"


def test_it_is_built_once_with_hashes_and_kept(pip: Pip, lock: Path, place: Path) -> None:
    python = python_for(lock, place)
    assert python.exists()
    assert [call[2] for call in pip.calls] == ["venv", "pip"]
    assert pip.calls[1][0] == str(python)
    assert pip.calls[1][-3:] == ["--require-hashes", "-r", str(lock)]
    assert python_for(lock, place) == python
    assert len(pip.calls) == 2


def test_another_lock_is_another_environment_and_the_names_tell_which(pip: Pip, lock: Path, place: Path) -> None:
    other = lock.with_name("other.txt")
    other.write_text(LOCKED)
    first, second = environment_of(lock, place), environment_of(other, place)
    assert first.name.startswith("hub-gibbs-")
    assert second.name.startswith("hub-other-")
    lock.write_text(LOCKED.replace("1.0", "2.0"))
    assert environment_of(lock, place) not in {first, second}


def test_a_build_that_fails_leaves_nothing_behind_and_is_not_tried_again(pip: Pip, lock: Path, place: Path) -> None:
    pip.fails = True
    for _ in range(2):
        with pytest.raises(NotAvailable, match="there is no network"):
            python_for(lock, place)
    assert list(place.iterdir()) == []
    assert len(pip.calls) == 2


def test_an_interrupted_build_leaves_nothing_behind_and_is_tried_again(pip: Pip, lock: Path, place: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    pip.meanwhile = interrupt
    with pytest.raises(KeyboardInterrupt):
        python_for(lock, place)
    assert list(place.iterdir()) == []
    pip.meanwhile = lambda: None
    assert python_for(lock, place).exists()


def test_what_a_killed_process_left_is_built_anew(pip: Pip, lock: Path, place: Path) -> None:
    folder = environment_of(lock, place)
    (folder / "lib").mkdir(parents=True)
    assert not is_built(folder)
    assert python_for(lock, place).exists()
    assert not (folder / "lib").exists()


def test_without_the_python_that_it_was_made_with_it_is_built_anew(pip: Pip, lock: Path, place: Path) -> None:
    python = python_for(lock, place)
    python.unlink()
    python.symlink_to("/nowhere/python")
    assert python_for(lock, place).exists()
    assert len(pip.calls) == 4


def test_two_that_ask_at_once_share_one_build(pip: Pip, lock: Path, place: Path) -> None:
    begun, go_on, found = threading.Event(), threading.Event(), []

    def wait() -> None:
        begun.set()
        assert go_on.wait(20)

    pip.meanwhile = wait
    asking = [threading.Thread(target=lambda: found.append(python_for(lock, place))) for _ in range(2)]
    asking[0].start()
    assert begun.wait(20)
    asking[1].start()
    go_on.set()
    for thread in asking:
        thread.join(20)
    assert len(set(found)) == 1
    assert len(found) == 2
    assert len(pip.calls) == 2


def test_a_lock_that_is_not_there_is_not_available(pip: Pip, place: Path, tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match=r"there is no file .*missing\.txt, expected a lock with hashes"):
        python_for(tmp_path / "missing.txt", place)
    assert not place.exists()


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel with one module, which says that it is there."""
    files = {
        "locked.py": b"print('it is here')\n",
        "locked-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: locked\nVersion: 1.0\n",
        "locked-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{name},sha256={_urlsafe(content)},{len(content)}\n" for name, content in files.items()]
    files["locked-1.0.dist-info/RECORD"] = "".join([*rows, "locked-1.0.dist-info/RECORD,,\n"]).encode()
    path = tmp_path / "wheels" / "locked-1.0-py3-none-any.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def only_the_wheel(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make pip know nothing but the folder of the wheel."""
    monkeypatch.setattr(environments, "_refused", {})
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))


@pytest.mark.usefixtures("only_the_wheel")
def test_two_processes_build_a_real_one_at_once_and_both_can_use_it(lock: Path, place: Path, wheel: Path) -> None:
    lock.write_text(f"locked==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
    ask = (
        "import sys; from pathlib import Path; from benchmark.stack.environments import python_for; "
        "print(python_for(Path(sys.argv[1]), Path(sys.argv[2])))"
    )
    with _both([sys.executable, "-c", ask, str(lock), str(place)]) as asking:
        said = [process.communicate(timeout=100) for process in asking]
    assert [process.returncode for process in asking] == [0, 0], said
    (python,) = {output.strip() for output, _ in said}
    assert subprocess.run([python, "-m", "locked"], capture_output=True, text=True, check=True).stdout == "it is here\n"
    assert len(list(place.iterdir())) == 1


@pytest.mark.usefixtures("only_the_wheel")
def test_a_package_with_another_hash_is_refused_in_pips_words(lock: Path, place: Path) -> None:
    lock.write_text(LOCKED)
    with pytest.raises(NotAvailable, match=r"(?s)cannot be built.*pip says.*DO NOT MATCH THE HASHES"):
        python_for(lock, place)
    assert list(place.iterdir()) == []


def test_an_index_that_does_not_answer_is_told_in_pips_words(
    lock: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "_refused", {})
    for name, value in {
        "CONFIG_FILE": "/dev/null",
        "INDEX_URL": "http://127.0.0.1:9/simple",
        "RETRIES": "1",
        "TIMEOUT": "5",
        "EXTRA_INDEX_URL": "",
        "FIND_LINKS": "",
    }.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    with pytest.raises(NotAvailable) as raised:
        python_for(lock, place)
    first, *before = str(raised.value).splitlines()
    assert first == (
        "the environment of hub/gibbs.txt cannot be built, which needs a network once; "
        "pip says: ERROR: No matching distribution found for locked==1.0"
    )
    assert "Connection refused" in before[0]
    assert list(place.iterdir()) == []


def test_environments_are_neither_searched_for_contenders_nor_kept_by_git() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert f"{environments.ENVIRONMENTS.relative_to(ROOT)}/" in ignored


def _urlsafe(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


@contextmanager
def _both(argv: list[str]) -> Iterator[list["subprocess.Popen[str]"]]:
    """Start two processes at once, and stop them at the end."""
    pipe = subprocess.PIPE
    started = [subprocess.Popen(argv, cwd=ROOT, text=True, stdout=pipe, stderr=pipe) for _ in range(2)]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()
