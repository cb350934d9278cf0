"""A row may name a git revision: it is checked out and built once, beside a file that hides it from git."""

import subprocess
from pathlib import Path

import pytest

from benchmark.contenders.discovery import ROOT, Contender, row_at
from benchmark.errors import BenchmarkError, ContenderError, NotAvailable
from benchmark.scenarios.discovery import scenario_of
from benchmark.stack.checkouts import AS_IT_IS, CACHE, placed

ROWS = """
[contender.head]
title = "As it is"
floor = "none"
endpoint = "/"
scenario = "own"

[[contender.head.process]]
role = "scoring"
command = ["./serve"]
port = 9000

[contender.base]
like = "head"
checkout = "main"
setup = "echo built >> built.txt"
"""
SCENARIO = '[scenario.own]\ntitle = "Of its own"\ncheck = { status = 200 }\n'


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a service in a folder; `serve` was committed as one, and is two now."""
    folder = tmp_path / "service"
    folder.mkdir()
    (folder / "contender.toml").write_text(ROWS)
    (folder / "scenario.toml").write_text(SCENARIO)
    (folder / "serve").write_text("one")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "one")
    (folder / "serve").write_text("two")
    return tmp_path


def row(repository: Path, name: str, **changes: str) -> Contender:
    return row_at(f"{repository}/service/contender.toml:{name}").model_copy(update=changes)


def place(contender: Contender) -> tuple[Path, str]:
    found, revision = placed(contender, lambda _: None)
    assert found.place is not None
    return found.place.folder, revision


def test_a_row_without_a_revision_runs_where_it_is(repository: Path) -> None:
    assert place(row(repository, "head")) == (repository / "service", AS_IT_IS)
    assert scenario_of(row(repository, "head")).title == "Of its own"


def test_a_revision_is_checked_out_and_built_once_and_git_does_not_see_it(repository: Path) -> None:
    folder, commit = place(row(repository, "base"))
    assert ((folder / "serve").read_text(), commit) == ("one", git(repository, "rev-parse", "main"))
    assert place(row(repository, "base")) == (folder, commit)
    assert (folder / "built.txt").read_text() == "built\n"
    assert git(repository, "status", "--short") == "M service/serve"


def test_another_way_to_build_is_another_folder(repository: Path) -> None:
    first, _ = place(row(repository, "base"))
    second, _ = place(row(repository, "base", setup="true"))
    assert first != second
    assert not (second / "built.txt").exists()


def test_a_branch_that_only_the_remote_has_is_found(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    clone = tmp_path_factory.mktemp("clone") / "of"
    git(repository, "clone", str(repository), str(clone))
    git(clone, "checkout", "--detach")
    git(clone, "branch", "-D", "main")
    folder, _ = place(row(clone, "base"))
    assert (folder / "serve").read_text() == "one"


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"checkout": "nowhere"}, ContenderError, "there is no revision 'nowhere'"),
        ({"checkout": "--force"}, ContenderError, "there is no revision '--force'"),
        ({"setup": "echo no compiler; exit 7"}, NotAvailable, "ended with status 7; it says:\n    no compiler"),
    ],
    ids=["revision", "option", "setup"],
)
def test_what_cannot_be_built_is_said_and_leaves_nothing_that_looks_built(
    repository: Path, changes: dict[str, str], error: type[BenchmarkError], said: str
) -> None:
    for _ in range(2):
        with pytest.raises(error) as caught:
            placed(row(repository, "base", **changes), lambda _: None)
        assert said in str(caught.value)
    assert not list((repository / CACHE).glob("*/complete"))


def test_a_revision_of_what_is_in_no_repository_is_refused(tmp_path: Path) -> None:
    (tmp_path / "contender.toml").write_text(ROWS)
    with pytest.raises(ContenderError, match="is in no git repository"):
        placed(row_at(f"{tmp_path}/contender.toml:base"), lambda _: None)


def test_a_contender_of_this_repository_stays_as_it_is() -> None:
    found, revision = placed(row_at(f"{ROOT}/sync/contender.toml:sync"), lambda _: None)
    assert (found.place, revision) == (None, AS_IT_IS)
