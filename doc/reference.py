"""The page doc/cli.md, every command with its options as `--help` says them; and the table of the strategies."""

import re
from pathlib import Path
from typing import Final

import typer
from typer.cli import get_docs_for_click
from typer.main import get_command

from benchmark.cli import app
from benchmark.experiments.strategies.discovery import load_strategy, strategy_names

ROOT: Final = Path(__file__).resolve().parent.parent
PROGRAM: Final = ".venv/bin/python -m benchmark"


def pages() -> dict[Path, str]:
    """Return the page and its text."""
    return {ROOT / "doc" / "cli.md": command_line()}


def command_line() -> str:
    """Return what `--help` of each command says, as Markdown, with paths as seen from the repository."""
    group = get_command(app)
    for command in getattr(group, "commands", {}).values():  # else they are cut off after 45 characters
        command.short_help = (command.help or "").partition("\n")[0]
    context = typer.Context(group, info_name=PROGRAM)
    text = get_docs_for_click(obj=group, ctx=context, name=PROGRAM, title="Command line")
    short = text.replace(f"{ROOT}/", "").replace(f"\n## `{PROGRAM} ", "\n## `")
    for style in ("[dim]", "[/]"):  # of the terminal
        short = short.replace(style, "")
    short = re.sub(r"\[bold\]Examples\n((?:.+\n)+)", r"**Examples**:\n\n```sh\n\1```\n", short)
    return f"{short.strip()}\n"


def strategies() -> str:
    """Return the strategies, each with its trouble and when to use it, as the rows of a table."""
    rows = ["| strategy | for which trouble | use it when |", "|---|---|---|"]
    for name in strategy_names():
        each = load_strategy(name)
        rows.append(f"| [{each.title}](../strategies/{name}/README.md) | {each.trouble} | {each.use_when} |")
    return "\n".join(rows) + "\n"
