"""What is asked -> a scenario.toml with comments, which is read again before it is shown."""

import json
import re
from pathlib import Path
from typing import Final

from benchmark.scenario_init.asked import Asked
from benchmark.scenarios.discovery import read_scenarios
from benchmark.stack.uninterrupted import temporary_folder

_VARIABLE = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")
_MOST_OTHERS: Final = 20


def scenario_text(asked: Asked, bodies_file: str = "") -> str:
    """Return the file. Raises ScenarioError if it could not be used."""
    text = "\n".join(_lines(asked, bodies_file)) + "\n"
    with temporary_folder() as folder:
        if bodies_file:
            (folder / Path(bodies_file).name).touch()
        draft = folder / "scenario.toml"
        draft.write_text(text)
        read_scenarios(draft)
    return text


def _lines(asked: Asked, bodies_file: str) -> list[str]:
    variables = [name for value in asked.headers.values() for name in _VARIABLE.findall(value)]
    url = asked.url or "http://127.0.0.1:9000"
    lines = [
        "# What is asked, and what a right answer is. Change what you like; doc/scenarios.md explains all keys.",
        f"# .venv/bin/python -m benchmark versus A={url} B=... --scenario THIS_FILE",
    ]
    if variables:
        lines.append(f"# Before: {'; '.join(f'export {name}=...' for name in variables)}   (no file gets their values)")
    lines += [
        "",
        f"[scenario.{asked.name}]",
        f"title = {_text(asked.title)}",
        f"method = {_text(asked.method)}",
        f"path = {_text(asked.path)}",
    ]
    if asked.headers:
        pairs = ", ".join(f"{_text(name)} = {_text(value)}" for name, value in asked.headers.items())
        lines.append(f"headers = {{ {pairs} }}")
    if bodies_file:
        lines.append(f"bodies = {_text(Path(bodies_file).name)}  # one per line, asked in turn")
    elif asked.body is not None:
        lines += [f"# {asked.body_is[:1].upper()}{asked.body_is[1:]}. Several: bodies = \"requests.jsonl\"",
                  f"body = {_text(asked.body)}"]  # fmt: skip
    lines += ["", '# A wrong answer is a failure. Others: { json = "$.score", equals = 0.5 }, { same_as = "A" }']
    schema = f", schema = {_text(json.dumps(asked.answer_schema))}" if asked.answer_schema else ""
    lines.append(f"check = {{ status = {asked.status}{schema} }}")
    if asked.others:
        lines += ["", "# Other operations, for --operation:"]
        lines += [f"#   {name}" for name in asked.others[:_MOST_OTHERS]]
    return lines


def _text(value: str) -> str:
    """Return a TOML string: as it is where that is possible, so that JSON stays readable."""
    if "'" not in value and value.isprintable() and '"' in value:
        return f"'{value}'"
    return json.dumps(value)
