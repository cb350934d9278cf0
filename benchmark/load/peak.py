"""The peak rate: which level has the highest rate, and whether the measured levels bracket it. Pure functions."""

from collections.abc import Collection, Mapping, Sequence

GROWTH = 1.1  # a rate that grows by at most this factor over all earlier levels has reached its maximum
# A climb continues until the rate grows by less than this. It sees a single block, while the claim of a peak uses all
# blocks: with the same factor for both, a low first block would often leave a maximum unconfirmed.
CLIMB_GROWTH = 1.05


def grows(rates_rps: Sequence[float], growth: float = GROWTH) -> bool:
    """Whether the rates of ascending levels still grow: the last is the highest, by more than the factor `growth`.

    No rates do not grow.
    """
    if not rates_rps:
        return False
    *before, last = rates_rps
    return last > growth * max(before, default=0.0)


def peak_users(rps: Mapping[int, float], valid: Collection[int]) -> int | None:
    """Return the level with the highest rate, preferring VALID levels; None if no rate is above zero."""
    rates = {users: rate for users, rate in rps.items() if rate}
    believed = {users: rate for users, rate in rates.items() if users in valid} or rates
    return max(believed, key=believed.__getitem__, default=None)


def why_no_peak(rps: Mapping[int, float]) -> str:
    """Return why the rates of VALID levels, by users, show no peak, to follow "the rate was"; empty if they do.

    They bracket a peak if the rate no longer grows at the last level, and if a lower level exists below the highest
    rate (none exists below one user). A rate between two levels may be higher: the peak is that of the measured
    levels.
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
