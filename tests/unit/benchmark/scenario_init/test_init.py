"""`scenario init` writes a file that can be used as it is, and no secret into it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from benchmark.cli import app
from benchmark.load.bodies import distinct_bodies
from benchmark.load.checks import reader
from benchmark.scenarios.discovery import scenario_named
from benchmark.scenarios.spec import Scenario
from contract.errors import BadModelAnswer

ROWS = {"type": "array", "items": {"type": "number", "minimum": 0, "exclusiveMaximum": 9}, "minItems": 2, "maxItems": 4}
ROW = {"type": "object", "required": ["rows", "kind"], "properties": {"rows": ROWS, "kind": {"enum": ["a", "b"]}}}
ANSWER = {"type": "object", "required": ["score"], "properties": {"score": {"type": "number", "nullable": True}}}


def document(**paths: Any) -> dict[str, Any]:
    return {
        "openapi": "3.0.3",
        "servers": [{"url": "https://example.com/api"}],
        "paths": {f"/{name}": item for name, item in paths.items()},
        "components": {
            "schemas": {"Row": ROW, "Answer": ANSWER},
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}},
        },
    }


def post(media: dict[str, Any] | None = None, kind: str = "application/json", **more: Any) -> dict[str, Any]:
    media = {"schema": {"$ref": "#/components/schemas/Row"}} if media is None else media
    answer = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Answer"}}}}
    body = {"required": True, "content": {kind: media}}
    return {"post": {"summary": "Score one row", "requestBody": body, "responses": {"201": answer}, **more}}


def init(folder: Path, *arguments: str, of: object = None) -> Result:
    file = folder / "openapi.json"
    file.write_text(json.dumps(of) if not isinstance(of, str) else of)
    source = () if of is None else (str(file),)
    return CliRunner().invoke(app, ["scenario", "init", *source, *arguments])


def written(folder: Path, result: Result) -> Scenario:
    assert result.exit_code == 0, result.output
    (folder / "mine.toml").write_text(result.stdout)
    return scenario_named(str(folder / "mine.toml"))[1]


def test_a_document_without_examples_becomes_a_request_that_its_schema_allows(tmp_path: Path) -> None:
    result = init(tmp_path, of=document(score=post(security=[{"key": []}])))
    scenario = written(tmp_path, result)
    assert (scenario.method, scenario.path, scenario.title) == ("POST", "/api/score", "Score one row")
    assert scenario.headers == {"X-API-Key": "env:X_API_KEY", "Content-Type": "application/json"}
    body = json.loads(scenario.body or "")
    assert body["kind"] in {"a", "b"}
    assert 2 <= len(body["rows"]) <= 4
    assert all(0 <= number < 9 for number in body["rows"])
    assert "export X_API_KEY=..." in result.stdout
    read = reader(scenario.check, (0, 1), scenario.answer_schema())
    assert scenario.check.status == 201
    assert read(b'{"score": null}') is None
    with pytest.raises(BadModelAnswer, match=r"\$\.score: "):
        read(b'{"score": "high"}')


@pytest.mark.parametrize(
    "media",
    [
        {"example": {"rows": [5, 6], "kind": "a"}},
        {"examples": {"first": {"value": {"rows": [5, 6], "kind": "a"}}}},
        {"schema": {**ROW, "example": {"rows": [5, 6], "kind": "a"}}},
        {"schema": {**ROW, "properties": {"rows": {**ROWS, "examples": [[5, 6]]}, "kind": {"const": "a"}}}},
    ],
    ids=["of the body", "one of several", "of the schema", "of its parts"],
)
def test_an_example_comes_first(tmp_path: Path, media: dict[str, Any]) -> None:
    scenario = written(tmp_path, init(tmp_path, of=document(score=post(media))))
    assert json.loads(scenario.body or "") == {"rows": [5, 6], "kind": "a"}


def test_many_bodies_go_into_a_file_of_their_own_the_example_first(tmp_path: Path) -> None:
    media = {"schema": {"$ref": "#/components/schemas/Row"}, "example": {"rows": [5, 6], "kind": "a"}}
    result = init(tmp_path, "--bodies", str(tmp_path / "asked.jsonl"), of=document(score=post(media)))
    bodies = [json.loads(body or b"") for body in distinct_bodies(written(tmp_path, result), 1)]
    assert len(bodies) == 64
    assert bodies[0] == {"rows": [5, 6], "kind": "a"}


def test_what_reads_is_asked_when_nothing_takes_a_body_and_the_others_are_listed(tmp_path: Path) -> None:
    parameters = [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 7}},
                  {"name": "deep", "in": "query", "required": True, "example": True}]  # fmt: skip
    item = {"get": {"parameters": parameters}, "delete": {}}
    result = init(tmp_path, of=document(**{"rows/{id}": item, "health": {"get": {}}}))
    scenario = written(tmp_path, result)
    assert scenario.method == "GET"
    assert scenario.path is not None
    assert scenario.path.startswith("/api/rows/")
    assert scenario.path.endswith("?deep=true")
    assert "#   GET /health" in result.stdout
    assert "DELETE" not in result.stdout


@pytest.mark.parametrize(
    ("of", "arguments", "said"),
    [
        (document(), (), "no operation that can be asked (it has none that is POST or GET)"),
        (document(rows={"delete": {}}), (), "it has none that is POST or GET"),
        (document(up=post(kind="text/csv")), (), "POST /up takes text/csv, expected application/json"),
        (
            document(up=post({"schema": {"type": "string", "pattern": "^[0-9]{4}$"}})),
            (),
            "POST /up has no example of its body, and none could be made from its schema",
        ),
        (document(score=post()), ("--operation", "PUT /score"), "'PUT /score'; choose from POST /score"),
        ("<html>", (), "is not JSON, it begins with '<html>'"),
        ({"openapi": "3.1.0"}, (), "has no `paths`"),
    ],
    ids=["nothing", "nothing that reads", "no JSON", "a pattern", "another operation", "a page", "no paths"],
)
def test_a_document_that_cannot_be_used_is_one_line_and_no_file(
    tmp_path: Path, of: object, arguments: tuple[str, ...], said: str
) -> None:
    result = init(tmp_path, *arguments, of=of)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_a_curl_command_becomes_a_scenario_without_its_secrets(tmp_path: Path) -> None:
    command = """curl -s -X PUT 'http://127.0.0.1:9000/v2/score?deep=1' -H 'Authorization: Bearer hush-1' \\
        -H "X-API-Key: hush-2" --cookie a=hush-3 -u me:hush-4 --json '{"rows": [1, 2]}'"""
    result = init(tmp_path, command)
    scenario = written(tmp_path, result)
    assert "hush" not in result.stdout
    assert (scenario.method, scenario.path, scenario.body) == ("PUT", "/v2/score?deep=1", '{"rows": [1, 2]}')
    assert scenario.headers == {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Authorization": "Basic env:AUTHORIZATION",
        "X-API-Key": "env:X_API_KEY",
        "Cookie": "env:COOKIE",
    }
    assert "A=http://127.0.0.1:9000 " in result.stdout


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("curl", "neither a URL nor a file"),
        ("curl -s", "has 0 URLs, expected one"),
        ("curl http://h -F a=b", "the curl option -F is not understood"),
        ("curl 'http://h/?api_key=hush'", "the URL of the curl command holds a secret"),
        ("curl http://h -d @nowhere.json", "sends the file 'nowhere.json', which cannot be read"),
        ("curl 'http://h", "cannot be read: No closing quotation"),
    ],
    ids=["no curl", "no URL", "unknown option", "secret in the URL", "no such file", "half a quotation"],
)
def test_a_curl_command_that_cannot_be_read_is_one_line(tmp_path: Path, source: str, said: str) -> None:
    result = init(tmp_path, source)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "hush" not in result.stderr


def test_a_header_with_a_secret_is_refused_without_showing_it(tmp_path: Path) -> None:
    result = init(tmp_path, "curl http://h", "--header", "X-API-Key=hush")
    assert result.exit_code == 2
    assert "export X_API_KEY=..., and write --header X-API-Key=env:X_API_KEY" in result.stderr
    assert "hush" not in result.stderr
