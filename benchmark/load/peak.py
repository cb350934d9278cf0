"""Where a rate is highest, and whether the levels that were measured show a peak there: pure functions."""

from collections.abc import Collection, Mapping, Sequence

GROWTH = 1.1  # a rate that grows by no more than this, over all levels before, has met its ceiling
# A climb goes on until the rate grows by less than this. It reads a single block, the claim of a peak rests on all:
# with the same bound for both, a first block that reads low would leave many a ceiling without a peak.
CLIMB_GROWTH = 1.05


def grows(rates_rps: Sequence[float], growth: float = GROWTH) -> bool:
    """Whether rates of ascending levels have met no ceiling yet: the last is the highest, by more than a growth.

    Without any answer there is no higher rate.
    """
    if not rates_rps:
        return False
    *before, last = rates_rps
    return last > growth * max(before, default=0.0)


def peak_users(rps: Mapping[int, float], valid: Collection[int]) -> int | None:
    """Return the level with the highest rate, of the VALID ones if there are any; None without a rate above zero."""
    rates = {users: rate for users, rate in rps.items() if rate}
    believed = {users: rate for users, rate in rates.items() if users in valid} or rates
    return max(believed, key=believed.__getitem__, default=None)


def why_no_peak(rps: Mapping[int, float]) -> str:
    """Return why the rates of VALID levels, by users, show no peak, after "the rate was"; nothing if they do.

    They bracket a peak if the last level has met the ceiling, and if below the highest there is a lower
    one; below one user there is none. Between two levels a higher rate may hide: a peak is that of the
    levels measured.
    """
    levels = sorted(rps)
    if len(levels) < 2:
        return f"VALID at {'one level only' if levels else 'no level'}"
    if grows([rps[users] for users in levels]):
        return "still rising at its last VALID level"
    highest = max(levels, key=lambda users: rps[users])
    return "highest at its lowest VALID level" if highest == levels[0] != 1 else ""


def is_bracketed(rps: Mapping[int, float]) -> bool:
    """Whether the rates of VALID levels, by users, show a peak."""
    return not why_no_peak(rps)
