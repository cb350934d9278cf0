"""What a scenario.toml may say, and what is said when it says something else."""

from itertools import islice
from pathlib import Path

import pytest

from benchmark.contenders.discovery import discover as discover_contenders
from benchmark.errors import ScenarioError
from benchmark.load.bodies import request_bodies
from benchmark.load.scenario_requests import ask_of, refuse_unknown
from benchmark.scenarios.discovery import discover, scenario_of
from benchmark.scenarios.spec import Scenario
from tests.unit.benchmark.synthetic import make_contender

GOOD = """
[scenario.mine]
title = "Score one row"
path = "/v2/score"
headers = { X-API-Key = "env:MINE_TOKEN", Content-Type = "application/json" }
body = '{"rows": [1, 2, 3]}'
check = { json = "$.score", equals = 0.5 }
"""
BODY = "body = '{\"rows\": [1, 2, 3]}'"
CHECK = 'check = { json = "$.score", equals = 0.5 }'

# What is wrong: the file, the key that the message names, what it says of the value or of what was expected.
BROKEN = {
    "not TOML": ("scenario = [", "TOML", "not readable"),
    "an empty file": ("", "scenario", "expected"),
    "a scenario that is no table": ("[scenario]\na = 1\n", "scenario.a", "expected a table"),
    "an unknown key": (GOOD.replace("title", "colour = 'red'\ntitle"), "scenario.mine.colour", "'red'"),
    "a key of later": (GOOD.replace("title", "given = 'x'\ntitle"), "scenario.mine.given", "'x'"),
    "no check": (GOOD.replace(CHECK, ""), "scenario.mine.check", "required"),
    "a key of the check that there is not": (
        GOOD.replace(CHECK, "check = { regex = 'a' }"),
        "scenario.mine.check.regex",
        "no such key; expected one of status, law, json, equals, schema, same_as, ignore",
    ),
    "a schema that is not there": (
        GOOD.replace(CHECK, 'check = { schema = "a.json" }'),
        "scenario.mine",
        "no file 'a.json'",
    ),
    "what may differ from nobody": (
        GOOD.replace(CHECK, 'check = { ignore = ["$.time"] }'),
        "scenario.mine.check",
        "give it with `same_as`",
    ),
    "a column of no table": (GOOD + "column = 'body'", "scenario.mine", "`column` belongs to bodies in a CSV file"),
    "a variable in the middle": (GOOD.replace("env:MINE_TOKEN", "a b env:X"), "scenario.mine.headers", "env:NAME"),
    "a place without a value": (GOOD.replace(", equals = 0.5", ""), "scenario.mine.check", "give both or neither"),
    "a value without a place": (GOOD.replace('json = "$.score", ', ""), "scenario.mine.check", "give both or neither"),
    "two rules": (GOOD.replace("equals = 0.5", "equals = 0.5, law = true"), "scenario.mine.check", "`law` or `json`"),
    "a place that is none": (GOOD.replace("$.score", "score"), "scenario.mine.check.json", "'score'"),
    "a path that is none": (GOOD.replace("/v2/score", "score"), "scenario.mine.path", "'score'"),
    "a secret in plain text": (
        GOOD.replace("env:MINE_TOKEN", "abc"),
        "scenario.mine.headers",
        "X-API-Key may be a secret: write env:NAME, and set the variable NAME",
    ),
    "two bodies": (GOOD + "template = 'a.j2'", "scenario.mine", "at most one of body, bodies and template"),
    "a file that is not there": (GOOD.replace(BODY, "bodies = 'a.jsonl'"), "scenario.mine", "no file 'a.jsonl'"),
}


def write(folder: Path, text: str) -> Path:
    path = folder / "scenario.toml"
    path.write_text(text)
    return path


def mine(folder: Path, text: str = GOOD) -> Scenario:
    write(folder, text)
    return discover(folder)["mine"]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_scenario_is_one_sentence_with_file_key_and_expectation(tmp_path: Path, name: str) -> None:
    text, key, expectation = BROKEN[name]
    path = write(tmp_path, text)
    with pytest.raises(ScenarioError) as raised:
        discover(tmp_path)
    message = str(raised.value)
    assert message.startswith(f"{path}: ")
    assert key in message
    assert expectation in message
    assert "\n" not in message


def test_what_these_tests_break_is_good_before(tmp_path: Path) -> None:
    assert mine(tmp_path).path == "/v2/score"


def test_every_contender_of_the_project_is_asked_a_scenario_that_there_is() -> None:
    refuse_unknown(discover_contenders().values())
    of_the_contract = [contender for contender in discover_contenders().values() if contender.order < 200]
    assert {scenario_of(contender).name for contender in of_the_contract} == {"scoring"}


def test_a_contender_whose_scenario_nobody_knows_is_refused_with_those_that_there_are() -> None:
    contender = make_contender("a").model_copy(update={"scenario": "nobody"})
    with pytest.raises(ScenarioError, match=r"contender a: there is no scenario 'nobody'; choose from scoring"):
        refuse_unknown([contender])


def test_a_protocol_that_nobody_knows_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"there is no protocol 'fax'; choose from predict, batch, poll, callback"):
        ask_of(mine(tmp_path, GOOD + "protocol = 'fax'"), "/", 1, (0, 1))


def test_a_secret_is_sent_and_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE_TOKEN", "hush")
    scenario = mine(tmp_path)
    asked = ask_of(scenario, "/", 1, (0, 1))
    assert asked.headers["X-API-Key"] == "hush"
    assert scenario.secrets() == {"MINE_TOKEN": "hush"}
    assert "hush" not in f"{scenario!r} {scenario.to_json()} {asked!r}"


def test_a_secret_that_is_not_set_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINE_TOKEN", raising=False)
    with pytest.raises(ScenarioError, match="scenario mine needs the environment variable MINE_TOKEN"):
        mine(tmp_path).sent_headers()


def test_a_scenario_survives_its_way_through_json(tmp_path: Path) -> None:
    scenario = mine(tmp_path)
    assert Scenario(**scenario.to_json()) == scenario


def test_the_record_names_no_folder_of_a_machine(tmp_path: Path) -> None:
    assert str(tmp_path) not in f"{mine(tmp_path).recorded()}"


def test_a_body_is_asked_again_and_again(tmp_path: Path) -> None:
    assert list(islice(request_bodies(mine(tmp_path), 1), 2)) == [b'{"rows": [1, 2, 3]}'] * 2


def test_a_request_may_have_no_body(tmp_path: Path) -> None:
    assert next(request_bodies(mine(tmp_path, GOOD.replace(BODY, 'method = "GET"')), 1)) is None


def test_bodies_come_from_a_file_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("[1]\n\n[2]\n")
    scenario = mine(tmp_path, GOOD.replace(BODY, "bodies = 'a.jsonl'"))
    assert list(islice(request_bodies(scenario, 1), 3)) == [b"[1]", b"[2]", b"[1]"]


def test_a_file_without_bodies_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n")
    with pytest.raises(ScenarioError, match=r"a\.jsonl is empty, expected one body per line"):
        request_bodies(mine(tmp_path, GOOD.replace(BODY, "bodies = 'a.jsonl'")), 1)


def test_all_that_a_template_draws_follows_from_the_seed(tmp_path: Path) -> None:
    (tmp_path / "a.j2").write_text("[{{ uniform(1, 2, 9) }},{{ randint(1, 10**9) }},{{ range(10**9) | random }}]")
    scenario = mine(tmp_path, GOOD.replace(BODY, "template = 'a.j2'"))
    first, same, other = (list(islice(request_bodies(scenario, seed), 9)) for seed in (1, 1, 2))
    assert first == same
    assert not set(first) & set(other)


@pytest.mark.parametrize("text", ["{{ nothing }}", "{{ uniform("])
def test_a_template_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.j2").write_text(text)
    with pytest.raises(ScenarioError, match=r"scenario mine: a\.j2 is no template: "):
        request_bodies(mine(tmp_path, GOOD.replace(BODY, "template = 'a.j2'")), 1)
