"""Rounds: calibrate, predict, measure what was predicted; and then all of it again.

On a shared machine the CPU that a request costs moves by tens of percent within minutes. A prediction is
about the machine that it was learnt on, so what it is held against is measured soon after it was written
down. Each round learns from its own light cells and bursts alone; what is shown of several rounds is the
geometric mean of what they have foretold, as the measured rates are geometric means over all blocks.
"""

from collections.abc import Iterable, Mapping, Sequence
from statistics import geometric_mean
from typing import Any

Prediction = Mapping[str, Any]  # in the form that prediction.py describes, with `written_utc`


def blocks_of_round(blocks: int, number: int, rounds: int) -> range:
    """Return which of so many blocks belong to a round: in order, and as evenly as they can be shared out."""
    return range(number * blocks // rounds, (number + 1) * blocks // rounds)


def combined(rounds: Sequence[Prediction]) -> dict[str, Any]:
    """Return all rounds together, in the form of one: what is written to prediction.json.

    A contender that could not be calibrated in one round is told from the others. The time is that of the first.
    """
    if len(rounds) == 1:
        return {**rounds[0], "rounds": list(rounds)}
    names = list(dict.fromkeys(name for each in rounds for name in each["contenders"]))
    contenders = {name: _rows(each["contenders"].get(name, ()) for each in rounds) for name in names}
    best = {name: max(rows, key=lambda row: row["rps"]) for name, rows in contenders.items()}
    return {
        "written_utc": rounds[0]["written_utc"],
        "contenders": contenders,
        "peaks": {name: {"users": row["users"], "rps": row["rps"]} for name, row in best.items()},
        "what_if": _merged((each["what_if"] for each in rounds), ("what_if", "users"), ("rps", "p50_ms")),
        "crossover": _merged((each["crossover"] for each in rounds), ("cpu_ms", "users"), ("ratio",)),
        "rounds": list(rounds),
    }


def _rows(of_rounds: Iterable[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return the levels of a contender; calibrated is what every round has learnt from."""
    found = [rows for rows in of_rounds if rows]
    merged = _merged(found, ("users",), ("rps", "p50_ms"))
    for row in merged:
        same = [each for rows in found for each in rows if each["users"] == row["users"]]
        row["calibrated"] = all(each["calibrated"] for each in same)
    return merged


def _merged(
    of_rounds: Iterable[Iterable[Mapping[str, Any]]], keys: Sequence[str], values: Sequence[str]
) -> list[dict[str, Any]]:
    """Return one row for each combination of keys, its values the geometric means over the rounds that have it."""
    by_key: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for rows in of_rounds:
        for row in rows:
            by_key.setdefault(tuple(row[key] for key in keys), []).append(row)
    return [
        {**dict(zip(keys, key, strict=True)), **{name: geometric_mean([row[name] for row in rows]) for name in values}}
        for key, rows in by_key.items()
    ]
