"""The page of a watch: what was seen of each service, when it was not well, and the picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark.analysis.wording import MISSING, listing, minute_utc, significant
from benchmark.monitor.beside import Load
from benchmark.monitor.figures import picture_of
from benchmark.monitor.health import Outage, Probe
from benchmark.monitor.record import Watch
from benchmark.monitor.summary import Seen, end_of
from benchmark.report.page import templates, write_page


def write(
    folder: Path,
    watch: Watch,
    probes: Mapping[str, Sequence[Probe]],
    seen: Sequence[Seen],
    load: Load | None = None,
    note: str = "",
) -> Path:
    """Write the page of a watch and return its path; `note` says why a load is missing. Raises RecordError."""
    end_ns = end_of(watch, probes)
    html = (
        templates(Path(__file__).parent)
        .get_template("page.html.j2")
        .render(
            answers=[sentence(each, end_ns) for each in seen],
            well=is_well(seen),
            watch=watch,
            date=minute_utc(watch.started_utc),
            lasted=_lasted((end_ns - watch.started_ns) / 1e9),
            picture=picture_of(watch, probes, seen, load),
            rows=[_row(each) for each in seen],
            outages=[_outage_row(each, outage, watch, end_ns) for each in seen for outage in each.outages],
            note=note,
        )
    )
    return write_page(folder, html)


def is_well(seen: Sequence[Seen]) -> bool:
    """Whether nothing was down or stalled."""
    return not any(each.outages for each in seen)


def sentence(seen: Seen, end_ns: int) -> str:
    """Return what was seen of a service, as a sentence."""
    if not seen.asked:
        return f"{seen.service} was not asked."
    if not seen.outages:
        lost = seen.asked - seen.good
        return f"{seen.service} was well all the time" + (
            f", with {lost} of {seen.asked:,} answers late or bad." if lost else f": {seen.asked:,} good answers."
        )
    times = [
        f"{name} for {significant(sum(durations))} s"
        for name, state in (("down", "down"), ("stalled", "stalled"))
        if (durations := [_seconds(each, end_ns) for each in seen.outages if each.state == state])
    ]
    last = seen.outages[-1]
    return f"{seen.service} was {listing(times)}" + (
        f", and still {last.state} at the end." if last.until_ns is None else ", and well at the end."
    )


def _lasted(seconds: float) -> str:
    return f"{significant(seconds)} s" if seconds < 120 else f"{significant(seconds / 60)} minutes"


def _row(seen: Seen) -> tuple[str, Sequence[str]]:
    counted = [f"{number:,}" for number in (seen.asked, seen.good, seen.slow, seen.failed)]
    return seen.service, [*counted, *map(significant, (seen.median_ms, seen.p99_ms, seen.longest_ms))]


def _outage_row(seen: Seen, outage: Outage, watch: Watch, end_ns: int) -> Sequence[str]:
    until = MISSING if outage.until_ns is None else watch.time_of_day(outage.until_ns)
    duration = significant(_seconds(outage, end_ns))
    return seen.service, outage.state, watch.time_of_day(outage.since_ns), until, duration, outage.why


def _seconds(outage: Outage, end_ns: int) -> float:
    return ((end_ns if outage.until_ns is None else outage.until_ns) - outage.since_ns) / 1e9
