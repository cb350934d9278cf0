"""The figures of the page, each for a desk and for a phone, with a caption and a text alternative."""

from functools import partial
from typing import Final

from benchmark.analysis.wording import at_users, listing, significant
from benchmark.experiments.gap import curves as draw_prediction
from benchmark.experiments.gap import map as draw_map
from benchmark.experiments.gap import series
from benchmark.experiments.gap import stages as draw_stages
from benchmark.experiments.gap import waterfall as draw_waterfall
from benchmark.experiments.gap.anatomy import MODELS
from benchmark.experiments.gap.phrases import LOWER_IS_BETTER, NAMES, percent
from benchmark.experiments.gap.schema import LOW_USERS, MULTIPLIED, RESPONSES, Attribution, Explained, Stages
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
    what = NAMES[response]
    return Picture(
        key=key,
        title=f"{what[0].upper()}{what[1:]}: from {attribution.from_} to {attribution.to}",
        caption=_waterfall_caption(data, response, attribution) + (_STRUCK if invalid else ""),
        alt=f"Waterfall of {what}: {draw_waterfall.in_words(data, response, attribution)}.",
        element=on_page(_waterfall(key, data, response, attribution)),
        data=series.waterfall_csv(data, response, attribution),
    )


def _waterfall_caption(data: Explained, response: str, attribution: Attribution) -> str:
    how = (
        "The axis is logarithmic, so that steps which multiply have lengths that add up."
        if response in MULTIPLIED
        else "Steps add up."
    )
    better = "left is better" if response in LOWER_IS_BETTER else "right is better"
    said = (
        f"From {attribution.from_} above to {attribution.to} below, one step for each factor, the largest first; "
        f"{better}. {how} {_step(data)} Whiskers: 95 % interval over the blocks. A faint step is one whose "
        "interval shows no effect."
    )
    off = draw_waterfall.remainder(response, attribution)
    if abs(off) > _ROUNDING:
        said += f" The shares end {percent(off)} from the measured value: they do not add up in this record."
    return said


def _step(data: Explained) -> str:
    """Say what a step is: in a fractional design it is no Shapley value."""
    if data.confounded:
        return (
            "Only a part of the combinations was measured: a step is what changing the factor does on average over "
            "them, and may hold an interaction of others that is not told apart from it."
        )
    return (
        "A step is the factor's Shapley value: what changing it does, averaged over all orders in which the factors "
        "can be changed."
    )


def anatomy_figure(data: Explained) -> Picture:
    """Return the stages of a request, at one user and at the highest level of all."""
    levels = anatomy_levels(data)
    bars = [bar for users in levels for bar in draw_stages.bars_at(data, users)]
    return Picture(
        key="anatomy",
        title=f"One request, at {listing([at_users(users) for users in levels])}",
        caption=(
            "Where the time of a request goes: the mean of the requests around the median (p50, ranks 45 to 55 %) and "
            "around the tail (p99, ranks 98.5 to 99.5 %). The stages sum to the client's latency. Grey is what the "
            "models drew and slept. All around it: HTTP client, wire, model service, waiting for a connection or a "
            "thread. Each panel has an axis of its own. * not enough samples: a p99 needs at least 459."
            + _models_note(data)
            + _anatomy_struck(data)
        ),
        alt=f"Stacked bars of the stages of a request: {draw_stages.in_words(bars)}.",
        element=on_page(lambda layout: draw_stages.draw_anatomy(layout, data, levels)),
        data=series.stages_csv(data, lambda row: row.users in levels),
    )


def growth_figure(data: Explained) -> Picture:
    """Return the stages over the users, for each contender."""
    words = "; ".join(
        f"{name}: "
        + ", ".join(f"{at_users(row.users)} {significant(row.client_ms)} ms" for row in _medians(data, name))
        for name in data.contenders
        if name in data.anatomy
    )
    return Picture(
        key="growth",
        title="How the stages grow with the users",
        caption=(
            "The same stages at the median, over the number of users. What grows is what has become scarce: a queue "
            "before the handler when all threads or the event loop are taken, time around the models when their "
            "clients or services are. Each contender has an axis of its own, in ms." + _anatomy_struck(data)
        ),
        alt=f"Stacked bars over users, median latency: {words}.",
        element=on_page(lambda layout: draw_stages.draw_growth(layout, data)),
        data=series.stages_csv(data, lambda row: row.percentile == 50),
    )


def prediction_figure(data: Explained) -> Picture:
    """Return what was predicted, and what was then measured."""
    words = "; ".join(
        f"{name} {quantity.title}: worst level "
        + (f"{at_users(found[0])} {percent(found[1])}" if found else "not measured")
        for name in data.contenders
        if name in data.prediction
        for quantity in draw_prediction.QUANTITIES
        for found in [draw_prediction.worst(data.prediction[name], quantity)]
    )
    crossed = any(row.reasons for rows in data.prediction.values() for row in rows)
    return Picture(
        key="prediction",
        title="Predicted, and then measured",
        caption=(
            "Line: a queueing model of each contender, calibrated on the levels with hollow points only. Points: "
            "measured; the filled ones were measured after the prediction was written down. The error is "
            "predicted ÷ measured − 1 at the level that was met worst, without the fitted ones."
            + (" A cross: what was measured there is INVALID." if crossed else "")
        ),
        alt=f"Predicted lines and measured points over users: {words}.",
        element=on_page(lambda layout: draw_prediction.draw_prediction(layout, data)),
        data=series.prediction_csv(data),
    )


def map_figure(data: Explained, ends: tuple[str, str]) -> Picture:
    """Return who carries more, over users and over what the models compute."""
    grid = draw_map.Grid(data.crossover)
    line = "" if draw_map.has_line(grid) else " The line of 1 lies outside of this map."
    struck = " Struck through and without colour: INVALID, and nothing was predicted." if grid.doubted else ""
    return Picture(
        key="crossover",
        title=f"The rate of {ends[1]} over that of {ends[0]}",
        caption=(
            f"The rate of {ends[1]} divided by the rate of {ends[0]}, over users and over the CPU time that a model "
            "burns for each answer. Framed and bold: measured; the others are filled by the prediction. Along the "
            f"black line both carry the same.{line} Pure sleep flatters whoever waits well: the further up, the "
            "more the cores decide, which both share." + struck
        ),
        alt=f"Heat map of the ratio of rates, measured at {draw_map.in_words(data, ends)}.",
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


def _medians(data: Explained, name: str) -> list[Stages]:
    return sorted((row for row in data.anatomy[name] if row.percentile == 50), key=lambda row: row.users)


def _models_note(data: Explained) -> str:
    without = any(MODELS in row.stages_ms for rows in data.anatomy.values() for row in rows)
    return " Where the models' draws were not recorded, the models are one stage." if without else ""


def _anatomy_struck(data: Explained) -> str:
    doubted = any(row.reasons for rows in data.anatomy.values() for row in rows)
    return " Hollow: the stages do not fit the latency; the table says why." if doubted else ""
