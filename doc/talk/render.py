"""`make talk`: the slides, with the figures of the recorded runs in them.

doc/talk/slides.md is Markdown for Marp in which numbers are Jinja expressions over doc/recorded/. Written are
results/talk.md, which Marp takes as it is, and results/talk.html, one file that needs neither Marp nor a network.
"""

import base64
import html
import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markdown_it.token import Token

from benchmark.analysis.schema import parse_summary, service_cpu_ms
from benchmark.analysis.wording import MISSING, at_users, fine_ms, significant
from benchmark.contenders.discovery import ROOT
from benchmark.experiments.bench.command import QUICK_TAKES as BENCH_TAKES
from benchmark.experiments.gap.command import QUICK_TAKES as EXPLAIN_TAKES
from benchmark.experiments.gap.schema import Change, parse
from contract.model import latency_floor_ms
from contract.settings import settings_from
from doc.diagrams.draw import NAMES, read
from doc.headline import headline

HERE: Final = Path(__file__).resolve().parent
RECORDED: Final = ROOT / "doc" / "recorded"
RESULTS: Final = ROOT / "results"
HANDLERS: Final = {"sync": "sync/sync_api/scoring.py", "async": "async/async_api/scoring.py"}
_PX_PER_REM: Final = 32  # of a slide of 1280 x 720
_NARROW_PX: Final = 400
_SIZE: Final = re.compile(r"^w:(\d+) ")  # Marp's way to say how wide a picture is, before its text alternative
_BESIDE: Final = re.compile(r"^bg right:(\d+)% fit ")  # and that it fills so much of the slide, beside the text
_CLASS: Final = re.compile(r"^_class: *(\S+)$")
_WAITS: Final = re.compile(r"\b(async|await)\b(?= )")


@dataclass(frozen=True)
class Slide:
    """One slide as HTML, with what its speaker says."""

    html: str
    notes: str = ""
    kind: str = ""  # the class that a directive of Marp gives it


def values(recorded: Path = RECORDED) -> dict[str, Any]:
    """Return what the slides may name."""
    documents = {name: _json(recorded / "explain" / f"{name}.json") for name in ("summary", "manifest")}
    bench, explained = (
        parse_summary(_json(recorded / "summary.json")),
        parse(documents["summary"], documents["manifest"]),
    )
    machine, law = bench.environment["machine"], settings_from({}, architecture="sync", role="scoring")
    lead = explained.prediction_lead_s
    return {
        "machine": f"{machine['cores']} cores of {machine['cpu_model']}",
        "cores": machine["cores"],
        "date": bench.started_utc[:10],
        "blocks": bench.blocks,
        "baseline": bench.baseline,
        "contenders": bench.rivals,
        "cpu_ms": {name: service_cpu_ms(each.cpu_ms_per_request) for name, each in bench.rivals.items()},
        "answers": headline(bench, explained),
        "floors": {kind: latency_floor_ms(law, kind) for kind in ("sum", "max")},
        "factors": explained.factors,
        "latency": explained.attribution["latency_ms"],
        "rate": explained.attribution["peak_rps"],
        "slept": explained.latency_parts.slept_ms["fan_out"].value,
        "peaks": {name: peak for name, peak in explained.peaks.items() if peak.error is not None},
        "lead_s": lead.least if lead else None,
        "pools": _pools(recorded / "pool-size.json"),
        "handlers": {twin: _core((ROOT / path).read_text()) for twin, path in HANDLERS.items()},
        "handler_lines": max(len((ROOT / path).read_text().splitlines()) for path in HANDLERS.values()),
        "alts": {name: read(name).alt for name in NAMES},
        "bench_takes": BENCH_TAKES,
        "explain_takes": EXPLAIN_TAKES,
    }


def _json(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def _pools(path: Path) -> dict[str, Any] | None:
    """Return the levels of each size of httpx's pool, by users; None where no such run is recorded."""
    if not path.exists():
        return None
    summary = parse_summary(_json(path))
    rows = {
        int(name.rpartition("-")[2]): {level.users: level for level in each.levels}
        for name, each in summary.contenders.items()
    }
    return {"users": [users for users in summary.levels if users > 1], "rows": dict(sorted(rows.items()))}


def _core(source: str) -> str:
    """Return the handler of a module without the lines of the stage clock."""
    lines = source.partition("    @routes.post")[2].partition("\n\n")[0]
    kept = (line for line in f"    @routes.post{lines}".splitlines() if not line.strip().startswith("clock"))
    return textwrap.dedent("\n".join(kept))


def markdown(given: Mapping[str, Any]) -> str:
    """Return the slides as Marp takes them; links to files lead there from results/."""
    text = _environment().get_template("slides.md").render(given)
    return text.replace("](../", "](../doc/")


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=lambda name: bool(name and name.endswith(".html.j2")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=significant, users=at_users, ms=_ms, percent=_percent)
    environment.filters.update(effect_ms=_effect_ms, effect_times=_effect_times)
    return environment


def _ms(value_ms: float | None) -> str:
    return f"{fine_ms(value_ms)} ms"


def _effect_ms(share: Change) -> str:
    return f"{share.value:+.1f} ms".replace("-", "−") if _is_shown(share, 0) else _NO_EFFECT


def _effect_times(share: Change) -> str:
    return f"× {significant(share.value)}" if _is_shown(share, 1) else _NO_EFFECT


_NO_EFFECT: Final = "no effect is shown"


def _is_shown(share: Change, neutral: float) -> bool:
    """Whether the interval of a share leaves out what stands for no effect."""
    return share.ci95 is not None and not share.ci95[0] <= neutral <= share.ci95[1]


def _percent(share: float | None) -> str:
    return MISSING if share is None else f"{100 * share:+.0f} %".replace("-", "−")


def slides(text: str) -> list[Slide]:
    """Return the slides of Markdown for Marp: each ends at a rule, and comments are notes or directives."""
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    body = text.split("---\n", 2)[2]
    return [_slide(parser, part) for part in _parts(parser.parse(body))]


def _parts(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    part: list[Token] = []
    for token in tokens:
        if token.type == "hr" and token.level == 0:
            yield part
            part = []
        else:
            part.append(token)
    yield part


def _slide(parser: MarkdownIt, tokens: Sequence[Token]) -> Slide:
    notes, kind = "", ""
    shown: list[Token] = []
    for token in tokens:
        comment = token.content.strip() if token.type == "html_block" else ""
        if comment.startswith("<!--"):
            said = comment.removeprefix("<!--").removesuffix("-->").strip()
            directive = _CLASS.match(said)
            kind, notes = (directive[1], notes) if directive else (kind, parser.render(said))
        else:
            shown.append(_drawn(token))
    return Slide(parser.renderer.render(shown, parser.options, {}), notes, kind)


def _drawn(token: Token) -> Token:
    """Return a token with its pictures within it; in Python the words that say who waits stand out."""
    if token.type == "fence" and token.info == "python":
        code = _WAITS.sub(r"<b>\1</b>", html.escape(token.content))
        return Token("html_block", "", 0, content=f"<pre><code>{code}</code></pre>\n")
    if token.children:
        token.children = [_picture(each) if each.type == "image" else each for each in token.children]
    return token


def _picture(token: Token) -> Token:
    """Return an image with the file in it, so that neither its styles nor its ids meet those of another."""
    path = (RESULTS / str(token.attrs["src"])).resolve()
    data = base64.b64encode(path.read_bytes()).decode()
    size, beside = _SIZE.match(token.content), _BESIDE.match(token.content)
    style = f' style="--wide: {int(size[1]) / _PX_PER_REM:g}rem"' if size else ""
    style = f' class="beside" style="--share: {beside[1]}%"' if beside else style
    alt = html.escape(_BESIDE.sub("", _SIZE.sub("", token.content)))
    image = f'<img src="data:image/svg+xml;base64,{data}" alt="{alt}"{style}>'
    if beside or (size and int(size[1]) > _NARROW_PX):  # on a phone it is moved sideways, by keys as well
        image = f'<span class="scroll" role="group" aria-label="Picture" tabindex="0">{image}</span>'
    return Token("html_inline", "", 0, content=image)


def page(text: str) -> str:
    """Return the slides as one HTML file."""
    title = re.search(r"^title: (.*)$", text, re.MULTILINE)
    return _environment().get_template("talk.html.j2").render(slides=slides(text), title=title[1] if title else "")


def main() -> None:
    """Write results/talk.md and results/talk.html."""
    RESULTS.mkdir(exist_ok=True)
    text = markdown(values())
    for name, content in (("talk.md", text), ("talk.html", page(text))):
        (RESULTS / name).write_text(content)
        print(f"wrote results/{name}")


if __name__ == "__main__":
    main()
