"""Draws how a request flows: doc/diagrams/<name>.toml -> SVG, boxes in a row and time running downwards.

A box stands for a process and has a lifeline for each thread, or for each model. A step is an arrow from one lifeline
to another; `answered` draws the way back; `takes` is a model's time, drawn to scale: `mean` of one, the `shorter` or
the `longer` of two that run at once. `with_the_one_before` starts it at the same time.
The numbers come from the law of the models in contract/model.py.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel, ConfigDict, Field, model_validator

from contract.model import latency_floor_ms, quantile_function
from contract.settings import Architecture, Role, Settings, settings_from

HERE: Final = Path(__file__).resolve().parent
NAMES: Final = ("one-after-the-other", "at-once-threads", "at-once-event-loop")

# All lengths in pixels. So narrow that a phone shows it nearly at its size.
WIDTH: Final = 400
_MARGIN: Final = 10
_LIFELINE: Final = 68  # the width of a box for each of its lifelines
_BOX_TOP: Final = 48
_LINE: Final = 16
_LABEL: Final = 40  # above an arrow, for its label
_ANSWER: Final = 20
_PX_PER_MS: Final = 2.0
_APART: Final = 7  # of two arrows at once, and of an answer and the next question


class _DiagramTable(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Box(_DiagramTable):
    """A process: its name, what is to be known of it, and its lifelines."""

    name: str
    width: int | None = None  # px
    lines: tuple[str, ...] = ()
    lifelines: tuple[str, ...] = Field(min_length=1)
    apart: int | None = None  # px between lifelines; without it, they share the width


class Step(_DiagramTable):
    """One arrow, from a lifeline to another."""

    number: str
    source: str = Field(alias="from")
    target: str = Field(alias="to")
    text: str = ""
    answered: bool = False
    takes: Literal["mean", "shorter", "longer"] | None = None
    with_the_one_before: bool = False


class Flow(_DiagramTable):
    """A diagram, as its text source has it."""

    title: str
    architecture: Architecture
    colour: str
    floor: Literal["sum", "max"]
    alt: str
    box: tuple[Box, ...]
    step: tuple[Step, ...]

    @model_validator(mode="after")
    def _leads_somewhere(self) -> "Flow":
        known = [name for box in self.box for name in box.lifelines]
        for step in self.step:
            if missing := {step.source, step.target} - set(known):
                raise ValueError(f"step {step.number} names {missing.pop()!r}, expected one of {', '.join(known)}")
        return self


@dataclass(frozen=True)
class Arrow:
    """A step with its place: from x1 to x2 at height y; the bar of what it takes, and its answer."""

    step: Step
    x1: float
    x2: float
    y: float
    label: tuple[float, float]
    bar: tuple[float, float] | None
    answer_y: float | None

    @property
    def ends(self) -> tuple[float, ...]:
        """The heights at which something of it ends."""
        return self.y, *(self.bar or ()), *([self.answer_y] if self.answer_y else [])


@dataclass
class Arrangement:
    """Where everything is."""

    boxes: list[tuple[Box, float, float]] = field(default_factory=list)
    lifelines: dict[str, float] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)  # for each lifeline, the last one of its box
    arrows: list[Arrow] = field(default_factory=list)
    box_height: float = 0.0
    height: float = 0.0

    @property
    def waiting(self) -> tuple[float, float]:
        """From the first question to a model until the last answer."""
        bars = [arrow.bar for arrow in self.arrows if arrow.bar]
        return min(top for top, _ in bars), max(bottom for _, bottom in bars)

    @property
    def working(self) -> tuple[float, float]:
        return self.arrows[0].y, self.arrows[-1].y


def read(name: str) -> Flow:
    """Return a diagram's source, its text alternative filled in."""
    flow = Flow.model_validate(tomllib.loads((HERE / f"{name}.toml").read_text()))
    return flow.model_copy(update={"alt": flow.alt.format(floor_ms=floor_ms(flow))})


def _defaults(architecture: Architecture, role: Role) -> Settings:
    """Return a service's settings where the environment sets none, whatever this one sets."""
    return settings_from({}, architecture=architecture, role=role)


def floor_ms(flow: Flow) -> float:
    """Return how long the models take on average, in ms."""
    return latency_floor_ms(_defaults(flow.architecture, "scoring"), flow.floor)


def draw(name: str) -> str:
    """Return a diagram as an SVG file, the same bytes for the same source."""
    flow = read(name)
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    template = environment.get_template("flow.svg.j2")
    return template.render(flow=flow, layout=lay_out(flow), width=WIDTH, top=_BOX_TOP, line=_LINE, floor=floor_ms(flow))


def lay_out(flow: Flow) -> Arrangement:
    """Return where each box, lifeline and arrow is."""
    layout = Arrangement(box_height=30 + _LINE * max(len(box.lines) for box in flow.box))
    _place_boxes(flow, layout)
    bottom = _BOX_TOP + layout.box_height
    for step in flow.step:
        layout.arrows.append(_arrow(step, layout, bottom))
        bottom = max(bottom, *layout.arrows[-1].ends)
    layout.height = bottom + 36
    return layout


def _place_boxes(flow: Flow, layout: Arrangement) -> None:
    """Give each box the width of its lifelines, and what is left to the gaps."""
    widths = [box.width or _LIFELINE * len(box.lifelines) for box in flow.box]
    gap = (WIDTH - 2 * _MARGIN - sum(widths)) / (len(widths) - 1)
    left = float(_MARGIN)
    for box, width in zip(flow.box, widths, strict=True):
        layout.boxes.append((box, left, width))
        apart = box.apart or width / len(box.lifelines)
        first = left + (width - apart * (len(box.lifelines) - 1)) / 2
        places = {name: first + apart * i for i, name in enumerate(box.lifelines)}
        layout.lifelines |= places
        layout.last |= dict.fromkeys(places, max(places.values()))
        left += width + gap


def _arrow(step: Step, layout: Arrangement, bottom: float) -> Arrow:
    """Place a step below what there is; a label stands above its arrow, or beside its bar."""
    x1, x2 = layout.lifelines[step.source], layout.lifelines[step.target]
    label_x = min(x1, x2) + 18
    if step.takes is None:
        y = bottom + _LABEL
        return Arrow(step, x1, x2, y, (label_x, y - 14), None, y + _ANSWER if step.answered else None)
    if step.with_the_one_before:
        before = layout.arrows[-1]
        top, y = before.y, before.y + _APART
        label = (before.label[0] + 24, before.label[1])
    else:
        top = y = bottom + (_APART if layout.arrows[-1].bar else _LABEL / 2)
        label = (layout.last[step.source] + 18, y + 26)
    bar = (top, top + _takes_ms(step) * _PX_PER_MS)
    return Arrow(step, x1, x2, y, label, bar, bar[1] if step.answered else None)


def _takes_ms(step: Step) -> float:
    quantile = quantile_function(_defaults("sync", "model"))
    mean_ms, longer_ms = quantile.expected_max_s(1) * 1e3, quantile.expected_max_s(2) * 1e3
    return {"mean": mean_ms, "longer": longer_ms, "shorter": 2 * mean_ms - longer_ms}[step.takes or "mean"]


def all_diagrams() -> Iterator[tuple[Path, str]]:
    """Yield each diagram's file and its content."""
    for name in NAMES:
        yield HERE / f"{name}.svg", draw(name)
