"""`make docs`: write what is generated from code or from the recorded run under doc/recorded/.

python doc/generate.py            write doc/settings.md, .env.example, the diagrams, and what is generated in README.md
python doc/generate.py --check    only say whether they are up to date
python doc/generate.py --record results/latest    first take over a run as the recorded one: of `explain`, of
                                                  `strategies`, or of `bench` for a table (doc/tables.py)

All figures of README, article and doc/deployment.md are of one run: its contenders are among the cells of `explain`,
summarised as `bench` summarises them.
"""

import difflib
import html
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark.analysis.schema import parse_summary
from benchmark.experiments.bench.figures import headline_figure
from benchmark.experiments.experiment import report
from benchmark.experiments.gap import article
from benchmark.experiments.gap.experiment import CONTENDERS, EXPERIMENT
from benchmark.experiments.gap.schema import parse
from benchmark.record.run import Run
from contract.settings import PREFIX, Settings
from doc import calibration, choosing, facts, notebook, raw, reference
from doc.diagrams.draw import NAMES, WIDTH, all_diagrams, read
from doc.headline import headline
from doc.tables import TABLES, bench_table, take_over_table

ROOT = Path(__file__).resolve().parent.parent
RECORDED = ROOT / "doc" / "recorded"
EXPLAINED = RECORDED / "explain"
ARTICLE = ROOT / "doc" / "understanding-the-gap.md"
STRATEGIES = ROOT / "doc" / "strategies.md"
_HANDLER_BEGINS = "    @routes.post("
HANDLERS = ("sync/sync_api/scoring.py", "async/async_api/scoring.py")
_KEPT = ("manifest.json", "summary.json", "prediction.json")
_SET_BY_THE_PROGRAM = {"architecture", "role"}
_ZERO_DEPENDS_ON_THE_SERVICE = {"port", "threads", "max_in_flight", "model_pool_size", "model_pool_idle"}
_SETTINGS_HEAD = """# Settings

Every service reads these from the environment. `.env.example` holds the same list. An empty default
depends on the service; its description says how.

What the harness starts reads neither the shell nor `.env`: a run records what it has set. There a setting is an option:
`--set threads=16` of the commands that measure and of `up`, as in
`make up UP_ARGS="--contenders sync --set threads=16 --free-ports"`. `up` refuses `SERVING_...` variables of the shell,
and the commands that measure say which of them they ignore.

| variable | default | meaning |
|---|---|---|
"""


def generated() -> dict[Path, str]:
    """Return the generated files and their contents."""
    fields = [(name, field) for name, field in Settings.model_fields.items() if name not in _SET_BY_THE_PROGRAM]
    rows = [(PREFIX + name.upper(), _text(name, field.default), field.description or "") for name, field in fields]
    table = "".join(f"| `{name}` | {f'`{value}`' if value else ''} | {meaning} |\n" for name, value, meaning in rows)
    example = "".join(f"# {meaning}\n#{name}={value}\n" for name, value, meaning in rows)
    summary = json.loads((RECORDED / "summary.json").read_text())
    return {
        ROOT / "doc" / "settings.md": _SETTINGS_HEAD + table,
        ROOT / ".env.example": example,
        ROOT / "README.md": readme((ROOT / "README.md").read_text(), summary),
        RECORDED / "headline.svg": headline_figure(summary),
        **dict(all_diagrams()),
        **explained(),
        **tables(),
        **{page: filled(page.name, page.read_text(), blocks) for page, blocks in facts.blocks().items()},
        **reference.pages(),
        choosing.PAGE: filled(choosing.PAGE.name, choosing.PAGE.read_text(), choosing.blocks()),
        STRATEGIES: filled(STRATEGIES.name, STRATEGIES.read_text(), {"strategies": reference.strategies()}),
    }


def tables() -> dict[Path, str]:
    """Return the pages with their tables from recorded runs of `bench`; a page without one stays as it is.

    The tables of `make calibrate` are on one of these pages.
    """
    text = calibration.tables(calibration.recorded())
    page = calibration.PAGE
    pages = {page: filled(page.name, page.read_text(), {calibration.BLOCK: text})}
    for table in TABLES:
        if table.path.exists():
            text = pages.get(table.page) or table.page.read_text()
            pages[table.page] = filled(table.page.name, text, {table.block: table.text()})
    return pages


def explained() -> dict[Path, str]:
    """Return the article with its blocks filled from the recorded run, and its figures; nothing without such a run."""
    if not (EXPLAINED / "summary.json").exists():
        return {}
    summary, manifest = _recorded_explain()
    blocks = article.blocks(summary, manifest, EXPLAINED.relative_to(ARTICLE.parent))
    figures = {EXPLAINED / name: svg for name, svg in article.figures(summary, manifest).items()}
    return {ARTICLE: filled(ARTICLE.name, ARTICLE.read_text(), blocks), **figures}


def readme(text: str, summary: dict[str, Any]) -> str:
    """Return the README with its generated blocks filled from the recorded run."""
    blocks = {
        "headline": _headline(summary),
        "diagrams": _diagrams(),
        "table": bench_table(summary),
        "handlers": _handlers(),
        **_gap(),
    }
    return filled("README.md", text, blocks)


def _gap() -> dict[str, str]:
    """Return the block of the README that says where the gap comes from; nothing without a recorded run."""
    if not (EXPLAINED / "summary.json").exists():
        return {}
    return {"gap": article.headline(*_recorded_explain(), EXPLAINED.relative_to(ROOT))}


def _recorded_explain() -> tuple[dict[str, Any], dict[str, Any]]:
    summary, manifest = (json.loads((EXPLAINED / name).read_text()) for name in ("summary.json", "manifest.json"))
    return summary, manifest


def filled(page: str, text: str, blocks: Mapping[str, str]) -> str:
    """Return the text of a page with its generated blocks replaced; each of them has to be there once."""
    for name, content in blocks.items():
        start, end = f"<!-- generated: {name} -->\n", "<!-- end -->"
        if text.count(start) != 1 or end not in text.partition(start)[2]:
            raise SystemExit(f"{page}: expected one block from {start.strip()} to {end}")
        before, _, rest = text.partition(start)
        text = before + start + content + end + rest.partition(end)[2]
    return text


def _headline(summary: dict[str, Any]) -> str:
    explained, manifest = _recorded_explain()
    sentences = " ".join(headline(parse_summary(summary), parse(explained, manifest)))
    machine = summary["environment"]["machine"]
    where = f"{machine['cores']} cores of {machine['cpu_model']}, Python {summary['environment']['python']}"
    return f"{sentences}\n\nRecorded with `make {summary['command']}` on {where}, {summary['started_utc'][:10]}.\n"


def _diagrams() -> str:
    """Return the diagrams as pictures: side by side on a desk, one below the other on a phone."""
    form = '<img src="doc/diagrams/{name}.svg" width="{width}" align="top" alt="{alt}">\n'
    return "".join(form.format(name=name, width=WIDTH, alt=html.escape(read(name).alt)) for name in NAMES)


def _handlers() -> str:
    """Return what differs between the handlers of both twins, and, to be opened, both as they are."""
    flask, fastapi = ((ROOT / path).read_text() for path in HANDLERS)
    before, after = (text[text.index(_HANDLER_BEGINS) :].splitlines() for text in (flask, fastapi))
    differs = "\n".join(line for line in difflib.ndiff(before, after) if not line.startswith("?"))
    whole = "\n".join(
        f"`{path}`\n\n```python\n{text}```\n" for path, text in zip(HANDLERS, (flask, fastapi), strict=True)
    )
    return f"```diff\n{differs}\n```\n\n<details>\n<summary>Both handlers in full</summary>\n\n{whole}\n</details>\n"


def _text(name: str, default: object) -> str:
    """Return a default as the environment would hold it; nothing for one that is filled in later."""
    if default in (None, ()) or name in _ZERO_DEPENDS_ON_THE_SERVICE:
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


def take_over(folder: Path) -> None:
    """Keep what the pages show of a run of `explain`: its summary, and that of the contenders among its cells.

    A run that was reported by older code is reported again.
    """
    run = Run.open(folder)
    command = run.manifest["command"]
    if command == "strategies":
        choosing.take_over(run.manifest["plan"]["strategies"], run.path / "summary.json")
        return
    if take_over_table(run):
        return
    if command != "explain":
        made = "`make record`, `make record-pools`, `make record-field` or `make record-strategies`"
        raise SystemExit(f"{folder} is a run of `{command}`, expected one of {made}")
    if not (run.path / CONTENDERS).exists():
        report(EXPERIMENT, run)
    EXPLAINED.mkdir(parents=True, exist_ok=True)
    for name in _KEPT:
        shutil.copy(run.path / name, EXPLAINED / name)
    raw.keep(run, EXPLAINED)
    shutil.copy(run.path / CONTENDERS, RECORDED / "summary.json")
    # What an earlier record of `bench` has left describes another run.
    for name in ("manifest.json", "cells.jsonl"):
        (RECORDED / name).unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    """Write the files, or with --check only say whether they are up to date."""
    if "--record" in arguments:
        take_over(Path(arguments[arguments.index("--record") + 1]))
    check = "--check" in arguments
    stale = _settle(generated(), check)
    # Only now, since it compares with what the README says.
    stale += _settle({notebook.EXPLORE: notebook.text_of(notebook.executed()[0])}, check)
    return 1 if stale and check else 0


def _settle(files: Mapping[Path, str], check: bool) -> list[Path]:
    """Write those of the files that are out of date, or with `check` only say so; return them."""
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        name = path.relative_to(ROOT)
        if check:
            print(f"{name} is out of date; run `make docs`")
        else:
            path.write_text(files[path])
            print(f"wrote {name}")
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
