"""The generated parts of the article: the same sentences, figures and numbers as on the page, as Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from benchmark.analysis.wording import at_users
from benchmark.experiments.gap import figures as drawings
from benchmark.experiments.gap import glance, notes, tables
from benchmark.experiments.gap.answers import answers, customary_answers
from benchmark.experiments.gap.formats import NAMES, first_upper
from benchmark.experiments.gap.schema import Attribution, Explained, parse
from benchmark.experiments.gap.stages import TITLES
from benchmark.record.allowance import MISSING_CORES, cores_text
from benchmark.report.answers import Answer
from benchmark.report.charts.picture import Picture
from benchmark.report.tables import TableRow

_NOT_MEASURED = "This part was not measured in the recorded run.\n"
_LATENCY, _RATE = (first_upper(NAMES[response]) for response in ("latency_ms", "peak_rps"))


def figures(summary: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the figures of the article as SVG files by name."""
    return drawings.figure_files(parse(summary, manifest))


def blocks(summary: Mapping[str, Any], manifest: Mapping[str, Any], folder: PurePath) -> dict[str, str]:
    """Return the generated blocks by name; `folder` is where the figures lie, as the article has to link them."""
    data = parse(summary, manifest)
    ends = data.ends
    predictions = [drawings.prediction_figure(data)] if any(data.prediction.values()) else []
    maps = [drawings.map_figure(data, ends)] if data.crossover and ends else []
    return {
        "answer": _quoted(answers(data)) + _recorded(data, manifest),
        "shares": _shares(data, folder),
        "customary": _customary(data),
        "anatomy": _anatomy(data, folder),
        "prediction": _images(predictions, folder)
        + _table(("peak of", *tables.PEAK_HEADS), tables.peak_rows(data))
        + _folded(
            "Predicted and measured at every level",
            ("contender", *tables.PREDICTION_HEADS),
            tables.prediction_rows(data),
        ),
        "what-if": _what_ifs(data),
        "crossover": _images(maps, folder)
        + _folded("The measured points", ("CPU of a model", *tables.CROSSOVER_HEADS), tables.crossover_rows(data)),
        "first": _list(notes.what_to_change_first(data), numbered=True),
        "doubts": "".join(f"- {doubt}\n" for doubt in notes.doubts(data, manifest)),
    }


def headline(summary: Mapping[str, Any], manifest: Mapping[str, Any], folder: PurePath) -> str:
    """Return the gap in latency and in rate, that with the customary setting, the first waterfall and the shares.

    It is what the front page shows. The CPU of a request is left out: its table shows it at another number of users.
    """
    data = parse(summary, manifest)
    picture = next(iter(drawings.waterfalls(data)), None)
    image = f"\n![{_bare(picture.alt)}]({(folder / f'{picture.key}.svg').as_posix()})\n\n" if picture else "\n"
    said = [answer for answer in answers(data) if answer.topic in (_LATENCY, _RATE, "State")]
    customary = [answer for answer in customary_answers(data) if answer.topic == _RATE]
    shares = {name: gap for name, gap in data.attribution.items() if name != "cpu_ms"}
    return _quoted([*said, *customary]) + _recorded(data, manifest) + image + _glance(data, shares)


def _shares(data: Explained, folder: PurePath) -> str:
    return (
        _images(drawings.waterfalls(data), folder)
        + _glance(data, data.attribution)
        + _list(notes.known_beforehand(data))
        + "\n"
        + _folded("Shares with intervals", ("factor", *tables.SHARE_HEADS), tables.share_rows(data, data.attribution))
        + _folded("Interactions", ("factors", *tables.INTERACTION_HEADS), tables.interaction_rows(data))
        + _folded("The models' sleep and the rest", ("factor", *tables.PART_HEADS), tables.part_rows(data))
    )


def _customary(data: Explained) -> str:
    rows = tables.share_rows(data, data.attribution_customary)
    if not rows:
        return _NOT_MEASURED
    folded = _folded("Shares with intervals", ("factor", *tables.SHARE_HEADS), rows)
    return f"{_list(customary_answers(data))}\n{_glance(data, data.attribution_customary)}{folded}"


def _anatomy(data: Explained, folder: PurePath) -> str:
    levels = drawings.anatomy_levels(data)
    if not levels:
        return _NOT_MEASURED
    stages = [TITLES.get(name, name) for name in tables.stages_of(data)]
    users = [at_users(users) for users in tables.median_users(data)]
    return (
        _list(notes.where_time_goes(data))
        + "\n"
        + _images([drawings.anatomy_figure(data), drawings.growth_figure(data)], folder)
        + _folded("Stages in ms", ("contender", *tables.ANATOMY_HEADS, *stages), tables.anatomy_rows(data, levels))
        + _folded("Median latency over users, in ms", ("contender", *users), tables.median_rows(data))
    )


def _what_ifs(data: Explained) -> str:
    rows = tables.what_if_rows(data)
    asked = _folded("Predicted only", ("contender", *tables.ASKED_HEADS), tables.asked_rows(data))
    return _table(("contender", *tables.WHAT_IF_HEADS), rows) + asked or _NOT_MEASURED


def _quoted(said: Iterable[Answer]) -> str:
    return "\n>\n".join(f"> {_sentence(each)}" for each in said) + "\n"


def _recorded(data: Explained, manifest: Mapping[str, Any]) -> str:
    """Return where and how the run was made, in one line."""
    environment = manifest.get("environment") or {}
    machine = environment.get("machine") or {}
    where = f"{cores_text(environment) or MISSING_CORES} of {machine.get('cpu_model', 'an unknown CPU')}"
    how = f"make explain{' QUICK=1' if data.quick else ''}"
    python = environment.get("python", "of unknown version")
    return f">\n> Recorded with `{how}` on {where}, Python {python}, {data.started_utc[:10]}.\n"


def _sentence(answer: Answer) -> str:
    topic = f"**{answer.topic}.** " if answer.topic else ""
    return f"{topic}{answer.text} {answer.note}".rstrip()


def _list(said: Iterable[Answer], numbered: bool = False) -> str:
    marks = ((f"{i}." if numbered else "-", each) for i, each in enumerate(said, 1))
    return "".join(f"{mark} {_sentence(each)}\n" for mark, each in marks)


def _images(pictures: Iterable[Picture], folder: PurePath) -> str:
    """Return the figures, each with its caption below it; in the file it has the name of its key."""
    parts = [
        f"![{_bare(p.alt)}]({(folder / f'{p.key}.svg').as_posix()})\n\n*{p.title}.* {p.caption}\n" for p in pictures
    ]
    return "\n".join(parts) + "\n" if parts else f"{_NOT_MEASURED}\n"


def _bare(text: str) -> str:
    """Return a text that can stand between the brackets of a Markdown image."""
    return text.replace("[", "(").replace("]", ")").replace("\n", " ")


def _glance(data: Explained, attributions: Mapping[str, Attribution]) -> str:
    """Return what each factor makes of each figure, and all of them together."""
    rows = [
        TableRow(row.name, tuple(f"{cell.value}{f' ({cell.times})' if cell.times else ''}" for cell in row.cells))
        for row in glance.glance_rows(data, attributions)
    ]
    return _table(("factor", *glance.glance_heads(attributions)), rows)


def _folded(title: str, heads: Sequence[str], rows: Sequence[TableRow]) -> str:
    """Return a table that opens on demand; nothing without rows."""
    return f"<details>\n<summary>{title}</summary>\n\n{_table(heads, rows)}</details>\n\n" if rows else ""


def _table(heads: Iterable[str], rows: Sequence[TableRow]) -> str:
    """Return a table, what is INVALID struck through; nothing without rows."""
    if not rows:
        return ""
    lines = [tuple(heads)]
    lines += [tuple(f"~~{cell}~~" if row.invalid else cell for cell in (row.name, *row.cells)) for row in rows]
    text = [f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines]
    return "".join([text[0], "|---" * len(lines[0]) + "|\n", *text[1:]]) + "\n"
