"""Where the picture turns, in a sentence: who carries more on the map of users and CPU of the models."""

from benchmark.analysis.wording import at_users, first_line, listing
from benchmark.experiments.gap import map as draw_map
from benchmark.experiments.gap.claim import Claim
from benchmark.experiments.gap.phrases import plain
from benchmark.experiments.gap.schema import Explained, shown


def crossover(data: Explained) -> Claim:
    """Say where on the measured map who is ahead, and where the prediction puts the turn."""
    topic, ends = "Models that compute", data.ends
    measured = [point for point in data.crossover if point.stands]
    if not ends or not measured:
        return Claim("Where the picture turns was not measured in this run, so nothing is said about it.", topic)
    counts = [
        (ends[1], sum(shown(point.ci95, 1.0) and point.ratio > 1 for point in measured)),
        (ends[0], sum(shown(point.ci95, 1.0) and point.ratio < 1 for point in measured)),
    ]
    undecided = len(measured) - sum(count for _, count in counts)
    said = [f"{name} carries more at {count}" for name, count in counts if count]
    if undecided:
        said.append(f"no difference is shown at {undecided}")
    where = f"{len(measured)} measured places on the map of users and CPU of the models"
    invalid = sum(point.measured and not point.stands for point in data.crossover)
    left_out = f" ({invalid} more are INVALID and left out)" if invalid else ""
    text = f"Of {where}{left_out}, {listing(said)}; {_turn(data)}."
    note = f"INVALID: {'; '.join(map(first_line, data.faults))}." if data.faults else ""
    return Claim(text, topic, bool(data.faults), note)


def _turn(data: Explained) -> str:
    grid = draw_map.Grid(data.crossover)
    if not grid.predicted:
        return "between them nothing was predicted"
    users = sorted({point.users for point in data.crossover if point.stands})
    turns = [(each, draw_map.crossing_ms(grid, each)) for each in users]
    passed = [f"{plain(ms)} ms of CPU per answer at {at_users(each)}" for each, ms in turns if ms is not None]
    never = [at_users(each) for each, ms in turns if ms is None]
    said = [f"the prediction puts the turn at {listing(passed)}"] if passed else []
    if never:
        none, where = ("not", "within the map") if passed else ("the prediction sees no turn", "on the map")
        said.append(f"{none} at {listing(never).replace(' and ', ' or ')} {where}")
    return ", and ".join(said)
