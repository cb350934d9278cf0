"""Rows for the tables of the page and the article: every number of the summary, as text."""

from collections.abc import Collection, Mapping

from benchmark.analysis.stats import samples_needed
from benchmark.analysis.wording import MISSING, Interval, at_users, significant
from benchmark.experiments.gap.anatomy import STAGES
from benchmark.experiments.gap.curves import P50, RATE
from benchmark.experiments.gap.formats import (
    NAMES,
    factor_title,
    interval_text,
    percent,
    plain,
    setting,
    share_text,
)
from benchmark.experiments.gap.schema import (
    MULTIPLIED,
    RESPONSES,
    Attribution,
    CellSummary,
    Change,
    Explained,
    Figure,
    Interaction,
    Waiting,
    WhatIfSummary,
    gap_shown,
    none_of,
    shown,
)
from benchmark.experiments.gap.waterfall import strength
from benchmark.report.tables import NO_PEAK, NOT_ENOUGH, TableRow


def cell_rows(data: Explained) -> list[TableRow]:
    """Return one row per cell of the design: its settings and its three responses."""
    return [_cell_row(data, cell) for cell in data.cells]


def share_rows(data: Explained, attributions: Mapping[str, Attribution]) -> list[TableRow]:
    """Return one row per factor and response, and one for the gap (SHARE_HEADS)."""
    return [row for r in RESPONSES if r in attributions for row in _share_rows(data, r, attributions[r])]


def part_rows(data: Explained) -> list[TableRow]:
    """Return one row per factor: its share of the models' sleep, calculated and found, and the rest (PART_HEADS)."""
    parts, latency = data.latency_parts, data.attribution.get("latency_ms")
    invalid = latency is not None and bool(data.against(latency, "latency_ms"))
    return [
        TableRow(
            factor_title(data, name),
            (
                plain(ms),
                *(_step_cell("latency_ms", part.get(name)) for part in (parts.slept_ms, parts.beyond_sleep_ms)),
            ),
            invalid,
        )
        for name, ms in parts.expected.items()
    ]


PART_HEADS = ("sleep, by calculation [ms]", "sleep, as found", "all around it")


def pair_title(data: Explained, pair: Interaction) -> str:
    """Return two factors by title, and what cannot be told apart from them."""
    title = " with ".join(factor_title(data, name) for name in pair.factors)
    other = " with ".join(factor_title(data, name) for name in pair.confounded_with)
    return f"{title} or {other}, not told apart" if other else title


def interaction_rows(data: Explained) -> list[TableRow]:
    """Return one row per pair of factors and response; first those for which an effect is shown."""
    rows = []
    for response, attribution in data.attribution.items():
        invalid = bool(data.against(attribution, response))
        for pair in attribution.interactions:
            cells = (NAMES[response], *_share_cells(response, pair.value, pair.ci95))
            rows.append(TableRow(pair_title(data, pair), cells, invalid))
    return sorted(rows, key=lambda row: row.cells[-1] != "yes")


INTERACTION_HEADS = ("figure", "interaction", "95 % interval", "effect shown")


def prediction_rows(data: Explained) -> list[TableRow]:
    """Return one row per contender and level: predicted, measured, error; none for what was fitted."""
    rows = []
    for name in data.contenders:
        for row in sorted(data.prediction.get(name, ()), key=lambda each: each.users):
            cells = (
                str(row.users),
                significant(row.rps_predicted),
                significant(row.rps_measured),
                "fitted" if row.calibrated else _error(RATE.error(row)),
                significant(row.p50_predicted_ms),
                significant(row.p50_measured_ms),
                "fitted" if row.calibrated else _error(P50.error(row)),
            )
            rows.append(TableRow(name, cells, bool(row.reasons), row.reasons))
    return rows


PREDICTION_HEADS = (
    "users",
    "requests/s predicted",
    "measured",
    "error",
    "p50 predicted [ms]",
    "measured [ms]",
    "error",
)


def peak_rows(data: Explained) -> list[TableRow]:
    """Return one row per contender: its peak, predicted and measured (PEAK_HEADS)."""
    return [
        TableRow(
            name,
            (
                _at(peak.rps_predicted, peak.users_predicted),
                ("≥ " if peak.bracketed is False else "") + _at(peak.rps_measured, peak.users_measured),
                _error(peak.error),
                _errors(peak.error_ci95),
                _error(peak.bound_error),
                *(_error(peak.cpu_off.get(role)) for role in _SERVICES),
            ),
            bool(peak.reasons),
            peak.reasons,
        )
        for name in data.contenders
        for peak in [data.peaks.get(name)]
        if peak
    ]


def _at(rps: float | None, users: int | None) -> str:
    """Return a rate and the number of users at which it was reached."""
    return f"{significant(rps)} ({at_users(users)})" if rps is not None and users is not None else significant(rps)


_SERVICES = ("scoring", "model")
PEAK_HEADS = (
    "predicted [requests/s]",
    "measured [requests/s]",
    "error",
    "95 % interval",
    "error of the simple bound",
    "CPU of the handler",
    "CPU of the models",
)


def what_if_rows(data: Explained) -> list[TableRow]:
    """Return one row per setting and level that was measured (WHAT_IF_HEADS)."""
    rows = []
    for each in data.what_if:
        if each.rps_measured is not None:
            change = each.rps_change
            cells = (
                each.title,
                str(each.users),
                _change(each.rps_predicted_before, each.rps_predicted),
                _change(each.rps_before, each.rps_measured),
                f"{share_text('peak_rps', change.value)} {_interval(change.ci95, True)}" if change else MISSING,
                _error(each.error),
                _errors(each.error_ci95),
            )
            rows.append(TableRow(each.contender, cells, bool(each.reasons), each.reasons))
    return rows


WHAT_IF_HEADS = (
    "what if",
    "users",
    "predicted [requests/s]",
    "measured [requests/s]",
    "change [95 % interval]",
    "error",
    "95 % interval",
)


def asked_rows(data: Explained) -> list[TableRow]:
    """Return one row per setting and level that was predicted and not measured (ASKED_HEADS)."""
    return [
        TableRow(each.contender, (each.title, str(each.users), _change(each.rps_predicted_before, each.rps_predicted)))
        for each in data.what_if
        if each.rps_measured is None
    ]


ASKED_HEADS = ("what if", "users", "predicted [requests/s]")


def what_if_median_rows(data: Explained) -> list[TableRow]:
    """Return one row per setting and level: the median latency, predicted and measured (WHAT_IF_MEDIAN_HEADS)."""
    return [
        TableRow(each.contender, (each.title, str(each.users), *_medians(each)), bool(each.reasons))
        for each in data.what_if
    ]


def _medians(each: WhatIfSummary) -> tuple[str, str]:
    return significant(each.p50_predicted_ms), _change(each.p50_before_ms, each.p50_measured_ms)


WHAT_IF_MEDIAN_HEADS = ("what if", "users", "p50 predicted [ms]", "p50 measured [ms]")


def _change(before: float | None, after: float | None) -> str:
    """Return a figure without the setting and with it."""
    return f"{significant(before)} → {significant(after)}"


def median_rows(data: Explained) -> list[TableRow]:
    """Return one row per contender: its median latency at each of `median_users`."""
    users = median_users(data)
    found = {name: {row.users: row for row in rows if row.percentile == 50} for name, rows in data.anatomy.items()}
    return [
        TableRow(
            name, tuple(significant(row.client_ms) if (row := found[name].get(each)) else MISSING for each in users)
        )
        for name in data.contenders
        if name in found
    ]


def median_users(data: Explained) -> list[int]:
    """Return all numbers of users at which any contender has a median."""
    return sorted({row.users for rows in data.anatomy.values() for row in rows if row.percentile == 50})


def stages_of(data: Explained) -> list[str]:
    """Return the stages that any row has, in reading order."""
    used = {name for rows in data.anatomy.values() for row in rows for name in row.stages_ms}
    return [name for name in STAGES if name in used]


def anatomy_rows(data: Explained, users: Collection[int] = ()) -> list[TableRow]:
    """Return one row per contender, level and percentile: latency and its stages; of some levels, or of all."""
    names = stages_of(data)
    return [
        TableRow(
            name,
            (
                str(row.users),
                f"p{row.percentile}",
                f"{row.n:,}",
                plain(row.client_ms),
                *(plain(row.stages_ms[stage]) if stage in row.stages_ms else MISSING for stage in names),
            ),
            bool(row.reasons),
            row.reasons,
        )
        for name in data.contenders
        for row in sorted(data.anatomy.get(name, ()), key=lambda each: (each.users, each.percentile))
        if not users or row.users in users
    ]


ANATOMY_HEADS = ("users", "percentile", "requests", "latency")


def waiting_rows(data: Explained) -> list[TableRow]:
    """Return one row per contender and level: how long tasks in the scoring process are delayed."""
    return [
        TableRow(name, (each.kind, str(each.users), significant(each.mean_ms), _p99(each), f"{each.n:,}"))
        for name, rows in data.waiting.items()
        for each in rows
    ]


def _p99(waiting: Waiting) -> str:
    return significant(waiting.p99_ms) if waiting.n >= samples_needed(99) else NOT_ENOUGH


def crossover_rows(data: Explained) -> list[TableRow]:
    """Return one row per measured place of the map."""
    rows = []
    for point in sorted(data.crossover, key=lambda each: (each.cpu_ms, each.users)):
        if point.measured:
            verdict = "no" if not shown(point.ci95, 1.0) else "yes"
            expected = f"{significant(point.ratio_predicted)} ×" if point.ratio_predicted else MISSING
            cells = (str(point.users), expected, f"{significant(point.ratio)} ×", _interval(point.ci95, True), verdict)
            rows.append(TableRow(f"{point.cpu_ms:g} ms", cells, bool(point.reasons), point.reasons))
    return rows


CROSSOVER_HEADS = ("users", "ratio predicted", "measured", "95 % interval", "difference shown")


def _cell_row(data: Explained, cell: CellSummary) -> TableRow:
    settings = (setting(data, name, cell.levels[name]) if name in cell.levels else MISSING for name in data.factors)
    figures = (text for response in RESPONSES for text in _figure_cells(response, cell.figure(response)))
    users = cell.peak_rps.users if cell.peak_rps and cell.peak_rps.users else MISSING
    state = "VALID" if cell.valid else "INVALID"
    name = cell.contender or cell.label
    return TableRow(name, (*settings, *figures, str(users)), not cell.valid, cell.reasons, state)


def _figure_cells(response: str, figure: Figure | None) -> tuple[str, str]:
    if figure is None:
        return MISSING, MISSING
    multiplied = response in MULTIPLIED
    text = figure.at_least + (significant(figure.value) if multiplied else plain(figure.value))
    return text, _interval(figure.ci95, multiplied)


def _share_rows(data: Explained, response: str, attribution: Attribution) -> list[TableRow]:
    invalid = bool(data.against(attribution, response))
    ordered = sorted(attribution.shares.items(), key=lambda item: -strength(response, item[1].value))
    rows = [
        TableRow(
            factor_title(data, name),
            (
                NAMES[response],
                *_share_cells(response, share.value, share.ci95),
                *(_step_cell(response, step) for step in (share.first, share.last)),
            ),
            invalid,
        )
        for name, share in ordered
    ]
    return [*rows, TableRow("all: the gap", _gap_cells(data, response, attribution), invalid)]


def _gap_cells(data: Explained, response: str, gap: Attribution) -> tuple[str, ...]:
    interval = _interval(gap.interval, response in MULTIPLIED)
    if gap.confidence is not None and gap.interval and len(data.comparisons) > 1:
        interval += f", adjusted for {len(data.comparisons)} comparisons"
    effect = "yes" if gap_shown(response, gap) else "no"
    if data.ends_without_peak(gap, response):
        effect = NO_PEAK
    return NAMES[response], share_text(response, gap.gap), interval, effect, MISSING, MISSING


SHARE_HEADS = ("figure", "share", "95 % interval", "effect shown", "changed first", "changed last")


def _step_cell(response: str, step: Change | None) -> str:
    if step is None:
        return MISSING
    return f"{share_text(response, step.value)} {_interval(step.ci95, response in MULTIPLIED)}"


def _share_cells(response: str, value: float, interval: Interval | None) -> tuple[str, str, str]:
    effect = "yes" if shown(interval, none_of(response)) else "no"
    return share_text(response, value), _interval(interval, response in MULTIPLIED), effect


def _interval(interval: Interval | None, as_ratio: bool) -> str:
    return interval_text(interval, significant if as_ratio else plain) or MISSING


def _error(error: float | None) -> str:
    return MISSING if error is None else percent(error)


def _errors(interval: Interval | None) -> str:
    return f"{percent(interval[0])} to {percent(interval[1])}" if interval else MISSING
