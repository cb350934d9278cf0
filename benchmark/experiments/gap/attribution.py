"""Responses of the cells, block by block -> shares of the gap, with intervals over blocks."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.analysis.model_sleep import ByBlock
from benchmark.analysis.stats import DIFFERENCES, Scale
from benchmark.experiments.gap import shapley

Responses = Mapping[frozenset[str], Mapping[int, float]]  # by the factors at `to`, by block


def attribute(
    factors: Sequence[str], responses: Responses, scale: Scale, half: bool = False, confidence: float | None = None
) -> dict[str, Any] | None:
    """Return the gap between the corners, each factor's share of it, and the interactions of pairs.

    Computed in every block in which all cells have a value, then averaged, so that the interval
    holds what changes from block to block. On the scale of differences the shares sum to the gap; on
    that of ratios their product is the gap, and the values of the corners are geometric means. A share
    is an average over orders; `first` and `last` are its ends, where the factor is changed before or
    after all others (not in half a design, which lacks those cells). With a `confidence` level, `ci` is the
    interval of the gap at that level. None if there is no such block.
    """
    games = _games(responses, scale)
    if not games:
        return None
    shares_of = shapley.half_shares if half else shapley.shapley_values
    shares = [shares_of(factors, game) for game in games]
    found = [shapley.gap(factors, game) for game in games]
    gaps = scale.interval(found)
    return {
        "from_value": scale.interval([game[frozenset()] for game in games])["value"],
        "to_value": scale.interval([game[frozenset(factors)] for game in games])["value"],
        "gap": gaps["value"],
        "ci95": gaps["ci95"],
        **({} if confidence is None else {"ci": scale.bounds(found, confidence), "confidence": confidence}),
        "blocks": len(games),
        "shares": {
            name: {
                **scale.interval([share[name] for share in shares]),
                **({} if half else _ends(factors, games, scale, name)),
            }
            for name in factors
        },
        "interactions": _half_interactions(factors, games, scale) if half else _interactions(factors, games, scale),
    }


def shared_blocks(responses: Responses) -> list[int]:
    """Return the blocks in which all cells have a value."""
    return sorted(set.intersection(*(set(by_block) for by_block in responses.values())))


def _games(responses: Responses, scale: Scale) -> list[dict[frozenset[str], float]]:
    return [
        {raised: scale.enter(by_block[b]) for raised, by_block in responses.items()} for b in shared_blocks(responses)
    ]


def _ends(factors: Sequence[str], games: Sequence[shapley.Game], scale: Scale, name: str) -> dict[str, Any]:
    first, last = zip(*(shapley.first_and_last(factors, game, name) for game in games), strict=True)
    return {"first": scale.interval(first), "last": scale.interval(last)}


def _interactions(factors: Sequence[str], games: Sequence[shapley.Game], scale: Scale) -> list[dict[str, Any]]:
    found = [shapley.interaction_indices(factors, game) for game in games]
    return [{"factors": list(pair), **scale.interval([each[pair] for each in found])} for pair in found[0]]


def _half_interactions(factors: Sequence[str], games: Sequence[shapley.Game], scale: Scale) -> list[dict[str, Any]]:
    found = [shapley.half_interactions(factors, game) for game in games]
    return [
        {
            "factors": list(pair),
            "confounded_with": list(other),
            **scale.interval([each[pair, other] for each in found]),
        }
        for pair, other in found[0]
    ]


PARTS = ("slept_ms", "beyond_sleep_ms")


def attribute_parts(
    factors: Sequence[str],
    latency_ms: Mapping[frozenset[str], ByBlock],
    slept_ms: Mapping[frozenset[str], ByBlock],
    floors_ms: Mapping[frozenset[str], float],
    half: bool,
) -> dict[str, Any]:
    """Return the attribution of both parts of the latency, by the factors raised and block; {} without draws.

    `floors_ms` are the mean sleeps that follow from the models' law; their shares are `expected`.
    """
    if not all(slept_ms.values()):
        return {}
    beyond_ms = {
        raised: {b: latency_ms[raised][b] - ms for b, ms in by_block.items() if b in latency_ms[raised]}
        for raised, by_block in slept_ms.items()
    }
    found = {
        name: attribute(factors, by, DIFFERENCES, half) for name, by in zip(PARTS, (slept_ms, beyond_ms), strict=True)
    }
    known = attribute(factors, {raised: {0: ms} for raised, ms in floors_ms.items()}, DIFFERENCES, half)
    if known is None or not all(found.values()):
        return {}
    return {**found, "expected": {name: share["value"] for name, share in known["shares"].items()}}
