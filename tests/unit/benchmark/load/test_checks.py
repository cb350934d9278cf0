"""Answers against a schema and against each other, and bodies wherever they are stored."""

from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import ScenarioError
from benchmark.load.bodies import distinct_bodies
from benchmark.load.checks import Expected, digest, first_difference, reader
from benchmark.load.protocols import PROTOCOLS, Response
from benchmark.load.scenario_requests import ask_of
from benchmark.scenarios.spec import Check, Scenario
from contract.errors import BadModelAnswer

SCHEMA = {"type": "object", "required": ["score"], "properties": {"score": {"type": "number"}}}


def scenario(folder: Path, **row: Any) -> Scenario:
    return Scenario.model_validate(
        {"name": "mine", "folder": folder, "title": "t", "path": "/", "check": {"status": 200}, **row}
    )


@pytest.mark.parametrize(
    ("body", "why"),
    [(b'{"score": "high"}', r"\$\.score: "), (b"{}", r"\$: .*score"), (b"<html>", "is not JSON")],
    ids=["another type", "nothing", "no JSON"],
)
def test_an_answer_that_a_schema_does_not_allow_is_wrong_with_the_place(body: bytes, why: str) -> None:
    read = reader(Check.model_validate({"schema": "{}"}), (0, 1), SCHEMA)
    assert read(b'{"score": 0.5}') is None
    with pytest.raises(BadModelAnswer, match=why):
        read(body)


def test_what_is_no_schema_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"check.schema is no JSON schema"):
        reader(Check.model_validate({"schema": "{}"}), (0, 1), {"type": "colour"})


@pytest.mark.parametrize(
    ("one", "other", "ignore", "same"),
    [
        (b'{"a": 1, "b": 2}', b'{"b": 2, "a": 1}', (), True),
        (b'{"a": 1, "at": 5}', b'{"a": 1, "at": 6}', (), False),
        (b'{"a": 1, "at": 5}', b'{"a": 1, "at": 6}', ("$.at",), True),
        (b'{"rows": [{"id": 1}, {"id": 2}]}', b'{"rows": [{"id": 3}, {"id": 4}]}', ("$.rows[*].id",), True),
        (b'{"rows": [{"id": 1}, {"id": 2}]}', b'{"rows": [{"id": 1}, {"id": 4}]}', ("$.rows[0].id",), False),
        (b'{"rows": [1]}', b'{"rows": [2, 3]}', ("$.rows[*]",), True),
        (b'{"a": 1}', b'{"b": 1}', ("$.c.d[2]",), False),
        (b"text", b"text", ("$.a",), True),
    ],
    ids=[
        "order of keys",
        "a time",
        "a time that may differ",
        "every item",
        "one item",
        "all items",
        "no place",
        "text",
    ],
)
def test_answers_are_the_same_but_for_what_may_differ(
    one: bytes, other: bytes, ignore: tuple[str, ...], same: bool
) -> None:
    assert (digest(one, ignore) == digest(other, ignore)) is same


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, ("$.a[1].b", 2, 3)),
        ({"a": 1}, {}, ("$.a", 1, "nothing")),
        ([1, 2], [1], ("$", [1, 2], [1])),
        (1, True, ("$", 1, True)),
        ({"a": None}, {"a": None}, None),
    ],
    ids=["deep", "missing", "length", "type", "none"],
)
def test_the_first_difference_is_named_by_its_place(one: Any, other: Any, found: object) -> None:
    assert first_difference(one, other) == found


@pytest.mark.parametrize("protocol", ["predict", "batch", "poll"])
def test_only_requests_whose_answers_are_known_are_sent_and_another_answer_is_wrong(
    tmp_path: Path, protocol: str
) -> None:
    (tmp_path / "asked.jsonl").write_text("[1]\n[2]\n[3]\n")
    asked = scenario(tmp_path, bodies="asked.jsonl", check={"same_as": "A"}, protocol=protocol)
    right = {b"[1]": b"[10]", b"[2]": b"[20]"}
    ask = ask_of(asked, "/", 5, (0, 1), expected=Expected(1, tuple(digest(each, ()) for each in right.values()), "A"))
    for answered, error in ((b"[10]", ""), (b"[10]", "another answer than A's before the measurement"), (b"[10]", "")):
        flow = PROTOCOLS[protocol](ask)
        sent = next(flow)
        assert sent.body in right
        with pytest.raises(StopIteration) as ended:
            flow.send(Response(200, {}, answered, 1, 2))
        assert ended.value.value.error == error


@pytest.mark.parametrize(
    ("files", "row", "bodies"),
    [
        ({"asked/b.json": "[2]", "asked/a.json": "[1]"}, {"bodies": "asked"}, [b"[1]", b"[2]"]),
        ({"a.csv": 'id,body\n1,"[1, 2]"\n2,[3]\n'}, {"bodies": "a.csv", "column": "body"}, [b"[1, 2]", b"[3]"]),
    ],
    ids=["a folder", "a column"],
)
def test_bodies_come_from_where_they_are_stored(
    tmp_path: Path, files: dict[str, str], row: dict[str, str], bodies: list[bytes]
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert distinct_bodies(scenario(tmp_path, **row), 1) == bodies


def test_a_column_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,body\n1,x\n")
    with pytest.raises(ScenarioError, match=r"a\.csv has no column 'text'; choose from id, body"):
        distinct_bodies(scenario(tmp_path, bodies="a.csv", column="text"), 1)
