"""The figures of the page, each for a desk and for a phone, with a caption and a short text alternative."""

from functools import partial
from typing import Final

from benchmark.analysis.wording import at_users, listing
from benchmark.experiments.gap import curves as draw_prediction
from benchmark.experiments.gap import map as draw_map
from benchmark.experiments.gap import series
from benchmark.experiments.gap import stages as draw_stages
from benchmark.experiments.gap import waterfall as draw_waterfall
from benchmark.experiments.gap.anatomy import MODELS
from benchmark.experiments.gap.answers import message
from benchmark.experiments.gap.formats import NAMES, amount, factor_title, percent, share_text
from benchmark.experiments.gap.schema import LOW_USERS, LOWER_IS_BETTER, MULTIPLIED, RESPONSES, Attribution, Explained
from benchmark.report.charts import picture
from benchmark.report.charts.chart import WIDE
from benchmark.report.charts.picture import Draw, Picture, on_page

_STRUCK: Final = " Struck through and hollow: INVALID; the table of cells says why."
_ROUNDING: Final = 1e-3  # of the measured value: the shares may end this far from it before it is said


def waterfalls(data: Explained) -> list[Picture]:
    """Return the waterfalls from one contender to the other, one for each response that was attributed."""
    return [
        waterfall(data, response, data.attribution[response]) for response in RESPONSES if response in data.attribution
    ]


def customary_waterfalls(data: Explained) -> list[Picture]:
    """Return the waterfalls to the contender with the customary setting."""
    found = data.attribution_customary
    return [waterfall(data, response, found[response], "customary-") for response in RESPONSES if response in found]


def waterfall(data: Explained, response: str, attribution: Attribution, prefix: str = "") -> Picture:
    """Return how the gap of one response adds up."""
    key = f"{prefix}waterfall-{response.replace('_', '-')}"
    invalid = bool(data.against(attribution, response))
    return Picture(
        key=key,
        title=message(data, response, attribution),
        caption=_waterfall_caption(data, response, attribution) + (_STRUCK if invalid else ""),
        alt=_waterfall_alt(data, response, attribution),
        element=on_page(_waterfall(key, data, response, attribution)),
        data=series.waterfall_csv(data, response, attribution),
    )


def _waterfall_alt(data: Explained, response: str, attribution: Attribution) -> str:
    """Return both ends and the largest step; the table of shares has all."""
    start, end = (amount(response, value) for value in (attribution.from_value, attribution.to_value))
    alt = f"Waterfall of {NAMES[response]} from {attribution.from_} ({start}) to {attribution.to} ({end})"
    largest = max(
        attribution.shares.items(), key=lambda each: draw_waterfall.strength(response, each[1].value), default=None
    )
    if largest:
        alt += f"; the largest step is {factor_title(data, largest[0])}, {share_text(response, largest[1].value)}"
    return f"{alt}."


def _waterfall_caption(data: Explained, response: str, attribution: Attribution) -> str:
    better = "left is better" if response in LOWER_IS_BETTER else "right is better"
    said = f"From {attribution.from_} to {attribution.to}, one step for each factor; {better}. {_step(data)} "
    if response in MULTIPLIED:
        said += "Steps multiply; the axis is logarithmic. "
    said += "Whiskers: 95 % interval. Faint: no effect is shown."
    off = draw_waterfall.remainder(response, attribution)
    if abs(off) > _ROUNDING:
        said += f" The shares end {percent(off)} from the measured value: they do not add up in this record."
    return said


def _step(data: Explained) -> str:
    """Say what a step is: in a fractional design it is no Shapley value."""
    if data.confounded:
        return "Only a part of the combinations was measured: a step may hold what other factors do together."
    return "A step is a Shapley value: the effect averaged over all orders of changing the factors."


def anatomy_figure(data: Explained) -> Picture:
    """Return the stages of a request, at one user and at the highest level of all."""
    levels = anatomy_levels(data)
    where = listing([at_users(users) for users in levels])
    return Picture(
        key="anatomy",
        title=f"Where the time of a request goes, at {where}",
        caption=(
            "Stages of the requests around the median (p50) and the tail (p99); they sum to the client's latency. "
            "Grey: the models' sleep. All around it: HTTP client, network, model service, waiting for a connection or "
            "a thread. Each panel has its own axis. * not enough samples: a p99 needs at least 459."
            + _models_note(data)
            + _anatomy_struck(data)
        ),
        alt=f"Stacked bars: the stages of a request of each contender, at {where}. A table has the numbers.",
        element=on_page(lambda layout: draw_stages.draw_anatomy(layout, data, levels)),
        data=series.stages_csv(data, lambda row: row.users in levels),
    )


def growth_figure(data: Explained) -> Picture:
    """Return the stages over the users, for each contender."""
    return Picture(
        key="growth",
        title="How the stages grow with the users",
        caption=(
            "The same stages at the median. What grows is scarce: threads or the event loop, if it is the queue before "
            "the handler; HTTP clients or the model service, if it is the time around the models. Each contender has "
            "its own axis, in ms." + _anatomy_struck(data)
        ),
        alt="Stacked bars: the stages of the median request of each contender, over users.",
        element=on_page(lambda layout: draw_stages.draw_growth(layout, data)),
        data=series.stages_csv(data, lambda row: row.percentile == 50),
    )


def prediction_figure(data: Explained) -> Picture:
    """Return what was predicted, and what was then measured."""
    crossed = any(row.reasons for rows in data.prediction.values() for row in rows)
    return Picture(
        key="prediction",
        title="Predicted, and then measured",
        caption=(
            "Line: predicted by a queueing model that was calibrated on the hollow points. Filled points were measured "
            "afterwards. The error is predicted ÷ measured − 1, at the worst level."
            + (" A cross: what was measured there is INVALID." if crossed else "")
        ),
        alt=f"Predicted lines and measured points over users: rate and median latency.{_worst(data)}",
        element=on_page(lambda layout: draw_prediction.draw_prediction(layout, data)),
        data=series.prediction_csv(data),
    )


def _worst(data: Explained) -> str:
    """Return which rate was predicted worst, as a sentence after others; nothing where none can be checked."""
    found = [
        (name, *worst)
        for name, rows in data.prediction.items()
        if (worst := draw_prediction.worst(rows, draw_prediction.RATE))
    ]
    if not found:
        return ""
    name, users, error = max(found, key=lambda each: abs(each[2]))
    return f" The worst rate: {name} at {at_users(users)}, {percent(error)}."


def map_figure(data: Explained, ends: tuple[str, str]) -> Picture:
    """Return who carries more, over users and over what the models compute."""
    grid = draw_map.Grid(data.crossover)
    line = "" if draw_map.has_line(grid) else " The line of 1 lies outside of this map."
    struck = " Struck through and without colour: INVALID, and nothing was predicted." if grid.doubted else ""
    counts = draw_map.shown_ahead(data, ends).items()
    ahead = listing([f"{name} is ahead at {count} measured points" for name, count in counts])
    return Picture(
        key="crossover",
        title=f"The rate of {ends[1]} divided by that of {ends[0]}",
        caption=(
            "Framed and bold: measured; the others are predicted. Along the black line both carry the same."
            f"{line} Models that only sleep favour async. The more CPU they use, the smaller the difference." + struck
        ),
        alt=f"Heat map of the ratio of rates, over users and CPU of a model; {ahead or 'no difference is shown'}.",
        element=on_page(lambda layout: draw_map.draw_map(layout, data, ends)),
        data=series.map_csv(data),
    )


def headline(data: Explained) -> Draw | None:
    """Return what draws the headline figure; None without one."""
    found = data.attribution.get("latency_ms")
    return _waterfall("explain-headline", data, "latency_ms", found) if found else None


def figure_files(data: Explained) -> dict[str, str]:
    """Return the figures that an article shows, as SVG files by name, for a desk; only those with anything in them."""
    drawn: dict[str, Draw] = {}
    for response, attribution in data.attribution.items():
        name = f"waterfall-{response.replace('_', '-')}"
        drawn[name] = _waterfall(f"file-{name}", data, response, attribution)
    if any(row.percentile == 50 for rows in data.anatomy.values() for row in rows):
        drawn["anatomy"] = partial(draw_stages.draw_anatomy, data=data, levels=anatomy_levels(data))
        drawn["growth"] = partial(draw_stages.draw_growth, data=data)
    if any(data.prediction.values()):
        drawn["prediction"] = partial(draw_prediction.draw_prediction, data=data)
    if data.crossover and data.ends:
        drawn["crossover"] = partial(draw_map.draw_map, data=data, ends=data.ends)
    return {f"{name}.svg": picture.svg_file(draw, WIDE) for name, draw in drawn.items()}


def _waterfall(key: str, data: Explained, response: str, attribution: Attribution) -> Draw:
    invalid = bool(data.against(attribution, response))
    return lambda layout: draw_waterfall.draw_waterfall(layout, key, data, response, attribution, invalid)


def anatomy_levels(data: Explained) -> list[int]:
    """Return the levels at which the contenders' anatomies stand side by side: one user, and the highest of all."""
    return [users for users in (LOW_USERS, data.high_users) if users and draw_stages.bars_at(data, users)]


def _models_note(data: Explained) -> str:
    without = any(MODELS in row.stages_ms for rows in data.anatomy.values() for row in rows)
    return " Where the models' draws were not recorded, the models are one stage." if without else ""


def _anatomy_struck(data: Explained) -> str:
    doubted = any(row.reasons for rows in data.anatomy.values() for row in rows)
    return " Hollow: the stages do not fit the latency; the table says why." if doubted else ""
