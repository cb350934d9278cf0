"""What a contender.toml may say, and what is said when it says something else."""

from pathlib import Path

import pytest

from benchmark.contenders.discovery import ROOT, Contender, choose, discover
from benchmark.errors import ContenderError, UnknownContender

HEAD = """
[contender.a]
title = "A"
floor = "max"
endpoint = "/predict"
"""
SCORING = """
[[contender.a.process]]
role = "scoring"
module = "scoring_module"
port = 5001
"""
MODEL = """
[[contender.a.process]]
role = "model"
module = "model_module"
port = 5000
env = { NAME = "of the base", KEPT = "kept" }
"""
GOOD = HEAD + SCORING + MODEL


def variant(row: str) -> str:
    return f"{GOOD}\n[contender.b]\n{row}\n"


# What is wrong: the file, the key that the message names, what it says of the value or of what was expected.
BROKEN: dict[str, tuple[str | bytes, str, str]] = {
    "not TOML": ("contender = [", "TOML", "not readable"),
    "not text": (b"\xff\xfe\x00", "TOML", "not readable"),
    "an empty file": ("", "contender", "expected"),
    "a table that is no contender": (GOOD + "[service]\nport = 1\n", "contender", "expected"),
    "a contender that is no table": ("[contender]\na = 1\n", "contender.a", "expected a table"),
    "a name in capitals": (GOOD.replace("contender.a", "contender.A"), "contender.A", "'A'"),
    "an unknown key": (GOOD.replace("title", "colour = 'red'\ntitle"), "contender.a.colour", "'red'"),
    "an unknown key of a process": (GOOD.replace("port = 5001", "port = 5001\nhost = 'h'"), "process.0.host", "'h'"),
    "a missing title": (GOOD.replace('title = "A"', ""), "contender.a.title", "required"),
    "a missing port": (GOOD.replace("port = 5001", ""), "contender.a.process.0.port", "required"),
    "a wrong floor": (GOOD.replace('"max"', '"mean"'), "contender.a.floor", "'sum', 'max' or 'none', given 'mean'"),
    "an endpoint that is no path": (GOOD.replace("/predict", "predict"), "contender.a.endpoint", "given 'predict'"),
    "a port above the range": (GOOD.replace("5001", "65536"), "contender.a.process.0.port", "65535, given 65536"),
    "a port below the range": (GOOD.replace("5001", "0"), "contender.a.process.0.port", "1, given 0"),
    "a protocol, which is its scenario's": (
        GOOD.replace("title", "protocol = 'p'\ntitle"),
        "contender.a.protocol",
        "given 'p'",
    ),
    "a scenario that is no name": (GOOD.replace("title", "scenario = '/'\ntitle"), "contender.a.scenario", "given '/'"),
    "no process": (HEAD, "contender.a.process", "at least 1"),
    "processes that are no list": (HEAD + "process = 'redis'", "contender.a.process", "'redis'"),
    "one process instead of a list": (
        HEAD + "[contender.a.process]\nrole = 'scoring'\nmodule = 'm'\nport = 1",
        "contender.a.process",
        "scoring",
    ),
    "a process that is no table": (HEAD + "process = ['redis']", "contender.a.process", "'redis'"),
    "an environment that is no table": (GOOD.replace("port = 5001", "port = 5001\nenv = 'e'"), "process.0.env", "'e'"),
    "no scoring role": (HEAD + MODEL, "contender.a", "'scoring', given model"),
    "a duplicate role": (GOOD + MODEL, "contender.a", "each role once, given scoring, model, model"),
    "module and command": (
        GOOD.replace("port = 5001", "port = 5001\ncommand = ['c']"),
        "contender.a.process.0",
        "either `module` or `command`",
    ),
    "neither module nor command": (
        GOOD.replace('module = "scoring_module"', ""),
        "contender.a.process.0",
        "either `module` or `command`",
    ),
    "like an unknown row": (variant("like = 'c'"), "contender.b.like", "'c', expected"),
    "like a variant": (variant("like = 'a'\n[contender.c]\nlike = 'b'"), "contender.c.like", "'b', expected"),
    "like two rows": (variant("like = ['a', 'a']"), "contender.b.like", "expected"),
    "env for an unknown role": (
        variant("like = 'a'\nenv = { worker = { N = '1' } }"),
        "contender.b.env.worker",
        "expected one of ['scoring', 'model']",
    ),
    "change of an unknown role": (
        variant("like = 'a'\nchange = { worker = { module = 'm' } }"),
        "contender.b.change.worker",
        "no such role",
    ),
    "env without a role": (variant("like = 'a'\nenv = { N = '1' }"), "contender.b.env", "expected"),
    "a name given twice": (GOOD.replace("title", "name = 'z'\ntitle"), "contender.a.name", "'z'"),
    "a folder of its own": (GOOD.replace("title", "folder = '/'\ntitle"), "contender.a.folder", "'/'"),
    "a label": (GOOD.replace("title", "label = 'z'\ntitle"), "contender.a.label", "'z'"),
    "a place": (GOOD.replace("title", "place = 'z'\ntitle"), "contender.a.place", "'z'"),
}


def write(folder: Path, text: str | bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "contender.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_project_has_five_contenders_in_this_order_and_others_that_are_measured_when_named() -> None:
    known = discover()
    assert [name for name, each in known.items() if each.default] == [
        *("sync", "sync-concurrent", "async", "async-aiohttp", "null")
    ]
    assert [name for name, each in known.items() if not each.default and each.scenario == "scoring"] == [
        *("async-httpx-default", "sync-idiomatic", "async-idiomatic", "async-httpx2", "async-granian", "sync-gevent")
    ]


@pytest.mark.parametrize("contender", discover().values(), ids=list(discover()))
def test_a_contender_of_the_project_names_modules_that_exist(contender: Contender) -> None:
    for process in contender.process:
        assert process.module is not None
        if process.requirements and "." not in process.module:  # a program of its own environment
            assert f"\n{process.module}==" in (contender.folder / process.requirements).read_text()
            continue
        file = Path(*process.module.split("."))
        places = [root / file for root in (contender.folder, ROOT)]
        assert any(place.with_suffix(".py").exists() or (place / "__main__.py").exists() for place in places)


def test_contenders_of_all_folders_are_found_in_their_order(tmp_path: Path) -> None:
    write(tmp_path / "one", GOOD.replace("title", "order = 2\ntitle"))
    write(tmp_path / "two" / "deep", GOOD.replace("contender.a", "contender.z").replace("title", "order = 1\ntitle"))
    write(tmp_path / "three", GOOD.replace("contender.a", "contender.last"))
    assert list(discover(tmp_path)) == ["z", "a", "last"]


@pytest.mark.parametrize("folder", [".venv", "results", ".git", "node_modules"])
def test_a_copy_in_a_folder_of_tools_or_results_is_not_a_contender(tmp_path: Path, folder: str) -> None:
    write(tmp_path, GOOD)
    write(tmp_path / folder / "copy", "not even TOML")
    assert list(discover(tmp_path)) == ["a"]


def test_a_folder_without_contenders_has_none(tmp_path: Path) -> None:
    assert discover(tmp_path) == {}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_contender_is_one_sentence_with_file_key_and_expectation(tmp_path: Path, name: str) -> None:
    text, key, expectation = BROKEN[name]
    path = write(tmp_path, text)
    with pytest.raises(ContenderError) as raised:
        discover(tmp_path)
    message = str(raised.value)
    assert message.startswith(f"{path}: ")
    assert key in message
    assert expectation in message
    assert "\n" not in message


def test_one_broken_file_beside_a_good_one_is_named(tmp_path: Path) -> None:
    write(tmp_path / "good", GOOD)
    path = write(tmp_path / "broken", variant("like = 'c'"))
    with pytest.raises(ContenderError, match=str(path)):
        discover(tmp_path)


def test_a_name_that_two_files_use_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "one", GOOD)
    path = write(tmp_path / "two", GOOD)
    with pytest.raises(ContenderError) as raised:
        discover(tmp_path)
    assert str(raised.value).startswith(f"{path}: contender.a ")


def test_a_variant_may_change_any_key_of_a_process(tmp_path: Path) -> None:
    write(tmp_path, variant("like = 'a'\nchange = { scoring = { args = ['other'], image = '' } }"))
    found = discover(tmp_path)
    changed, before = (next(p for p in found[name].process if p.role == "scoring") for name in ("b", "a"))
    assert (changed.args, changed.image) == (("other",), "")
    assert changed.model_copy(update={"args": before.args, "image": before.image}) == before


def test_a_variant_is_the_row_that_it_is_like_but_for_what_it_says_itself(tmp_path: Path) -> None:
    write(tmp_path, variant("like = 'a'\ntitle = 'B'\nenv = { model = { NAME = 'of the variant', MORE = '1' } }"))
    found = discover(tmp_path)
    base, other = found["a"], found["b"]
    assert (other.title, other.floor, other.endpoint) == ("B", base.floor, base.endpoint)
    assert [process.env for process in base.process] == [{}, {"NAME": "of the base", "KEPT": "kept"}]
    assert [process.env for process in other.process] == [
        {},
        {"NAME": "of the variant", "KEPT": "kept", "MORE": "1"},
    ]


def test_a_contender_knows_the_folder_of_its_modules(tmp_path: Path) -> None:
    path = write(tmp_path / "somewhere", GOOD)
    assert discover(tmp_path)["a"].folder == path.parent


def test_what_these_tests_break_is_good_before(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    assert list(discover(tmp_path)) == ["a"]


def test_chosen_contenders_keep_the_order_in_which_they_were_named() -> None:
    assert [contender.label for contender in choose(["null", "sync"], discover())] == ["null", "sync"]


def test_a_contender_that_is_chosen_twice_gets_labels_of_its_own() -> None:
    chosen = choose(["async", "sync", "async", "async"], discover())
    assert [contender.label for contender in chosen] == ["async", "sync", "async#2", "async#3"]
    assert [contender.name for contender in chosen] == ["async", "sync", "async", "async"]


@pytest.mark.parametrize("name", ["nobody", "", "SYNC", "async#2"])
def test_an_unknown_name_is_answered_with_the_names_that_there_are(name: str) -> None:
    with pytest.raises(UnknownContender) as raised:
        choose(["sync", name], discover())
    message = str(raised.value)
    assert repr(name) in message
    assert ", ".join(discover()) in message


def test_a_revision_is_refused_where_it_would_be_ignored(tmp_path: Path) -> None:
    (tmp_path / "contender.toml").write_text(variant('like = "a"\ncheckout = "main"'))
    known = discover(tmp_path)
    assert [each.name for each in choose(["a"], known)] == ["a"]
    with pytest.raises(ContenderError, match="b is measured at the revision 'main': only `gate` does that"):
        choose(["b"], known)
