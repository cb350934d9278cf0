"""The generated parts of the article: the same sentences, figures and numbers as on the page, as Markdown."""

from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from benchmark.experiments.gap import advice, tables
from benchmark.experiments.gap import figures as drawings
from benchmark.experiments.gap import text as story
from benchmark.experiments.gap.claim import Claim
from benchmark.experiments.gap.schema import Explained, parse
from benchmark.report.charts.picture import Picture
from benchmark.report.tables import TableRow

_NOT_MEASURED = "This part was not measured in the recorded run.\n"


def figures(summary: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the figures of the article as SVG files by name."""
    return drawings.figure_files(parse(summary, manifest))


def blocks(summary: Mapping[str, Any], manifest: Mapping[str, Any], folder: PurePath) -> dict[str, str]:
    """Return the generated blocks by name; `folder` is where the figures lie, as the article has to link them."""
    data = parse(summary, manifest)
    ends = data.ends
    anatomies = [drawings.anatomy_figure(data), drawings.growth_figure(data)] if drawings.anatomy_levels(data) else []
    predictions = [drawings.prediction_figure(data)] if any(data.prediction.values()) else []
    maps = [drawings.map_figure(data, ends)] if data.crossover and ends else []
    return {
        "answer": _quoted(story.write_answer(data)) + _recorded(data, manifest),
        "shares": _images(drawings.waterfalls(data), folder)
        + _shares(data)
        + _list([*story.write_known(data), *story.write_interactions(data)]),
        "customary": _customary(data),
        "anatomy": _images(anatomies, folder) + _list(advice.write_anatomy(data)),
        "prediction": _images(predictions, folder) + _peaks(data),
        "what-if": _what_ifs(data),
        "crossover": _images(maps, folder),
        "first": _list(advice.what_to_change_first(data), numbered=True),
        "doubts": "".join(f"- {doubt}\n" for doubt in advice.where_it_could_be_wrong(data, manifest)),
    }


def headline(summary: Mapping[str, Any], manifest: Mapping[str, Any], folder: PurePath) -> str:
    """Return the gap in latency and in rate, that with the customary setting, and the first waterfall.

    It is what the front page shows.
    """
    data = parse(summary, manifest)
    picture = next(iter(drawings.waterfalls(data)), None)
    image = f"\n![{_bare(picture.alt)}]({(folder / f'{picture.key}.svg').as_posix()})\n" if picture else ""
    latency, rate, *_ = story.write_answer(data)
    customary = [claim for claim in story.write_customary(data) if claim.topic == rate.topic]
    return _quoted([latency, rate, *customary]) + _recorded(data, manifest) + image


def _quoted(claims: Iterable[Claim]) -> str:
    return "\n>\n".join(f"> {_sentence(claim)}" for claim in claims) + "\n"


def _recorded(data: Explained, manifest: Mapping[str, Any]) -> str:
    """Return where and how the run was made, in one line."""
    environment = manifest.get("environment") or {}
    machine = environment.get("machine") or {}
    where = f"{machine.get('cores', '?')} cores of {machine.get('cpu_model', 'an unknown CPU')}"
    how = f"make explain{' QUICK=1' if data.quick else ''}"
    python = environment.get("python", "of unknown version")
    return f">\n> Recorded with `{how}` on {where}, Python {python}, {data.started_utc[:10]}.\n"


def _sentence(claim: Claim) -> str:
    topic = f"**{claim.topic}.** " if claim.topic else ""
    text = f"~~{claim.text}~~ {claim.note}" if claim.struck else claim.text
    return f"{topic}{text}".rstrip()


def _list(claims: Iterable[Claim], numbered: bool = False) -> str:
    marks = ((f"{i}." if numbered else "-", claim) for i, claim in enumerate(claims, 1))
    return "".join(f"{mark} {_sentence(claim)}\n" for mark, claim in marks)


def _images(pictures: Iterable[Picture], folder: PurePath) -> str:
    """Return the figures, each with its caption below it; in the file it has the name of its key."""
    parts = [
        f"![{_bare(p.alt)}]({(folder / f'{p.key}.svg').as_posix()})\n\n*{p.title}.* {p.caption}\n" for p in pictures
    ]
    return "\n".join(parts) + "\n" if parts else _NOT_MEASURED


def _bare(text: str) -> str:
    """Return a text that can stand between the brackets of a Markdown image."""
    return text.replace("[", "(").replace("]", ")").replace("\n", " ")


def _shares(data: Explained) -> str:
    rows = tables.share_rows(data, data.attribution)
    return _table(("factor", *tables.SHARE_HEADS), rows) if rows else ""


def _customary(data: Explained) -> str:
    rows = tables.share_rows(data, data.attribution_customary)
    heads = ("factor", *tables.SHARE_HEADS)
    return _list(story.write_customary(data)) + f"\n{_table(heads, rows)}" if rows else _NOT_MEASURED


def _peaks(data: Explained) -> str:
    rows = tables.peak_rows(data)
    return _table(("peak of", *tables.PEAK_HEADS), rows) if rows else ""


def _what_ifs(data: Explained) -> str:
    heads = ("contender", *tables.WHAT_IF_HEADS)
    rows = [TableRow(row.name, row.cells[:_RATES]) for row in tables.what_if_rows(data)]
    return _table(heads[: 1 + _RATES], rows) if rows else _NOT_MEASURED


_RATES = tables.WHAT_IF_HEADS.index("95 % interval") + 1  # medians, which follow, are on the page


def _table(heads: Iterable[str], rows: Iterable[TableRow]) -> str:
    """Return a table; what is INVALID is struck through."""
    lines = [tuple(heads)]
    lines += [tuple(f"~~{cell}~~" if row.invalid else cell for cell in (row.name, *row.cells)) for row in rows]
    text = [f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines]
    return "".join([text[0], "|---" * len(lines[0]) + "|\n", *text[1:]]) + "\n"
