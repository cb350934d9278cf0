"""How many users a limit of open files allows: every connection takes one, at the generator and behind it."""

from collections.abc import Iterable, Sequence

from benchmark.contenders.discovery import Contender
from benchmark.contenders.answer_law import law_of
from benchmark.errors import BenchmarkError
from benchmark.load.plan import Level
from contract.limits import OWN_FILES


class TooFewOpenFiles(BenchmarkError):
    """More users are asked for than the limit of open files allows."""


def files_per_user(contenders: Iterable[Contender], in_containers: bool = False) -> int:
    """Return how many files a user takes in the process of a contender where they are most.

    That is its scoring handler, with a connection to the user, one to the store and one to each model; the generator
    has but the first, and where the services run in containers, with limits of their own, it alone counts.
    """
    if in_containers:
        return 1
    laws = [law_of(contender) for contender in contenders]
    return max((2 + (law.models if law.asked != "none" else 0) for law in laws), default=1)


def allowed_users(limit: int | None, per_user: int) -> int | None:
    """Return how many users fit a limit of open files, with headroom for a process's own; None without a limit."""
    return None if limit is None else max((limit - OWN_FILES) // per_user, 0)


def refuse_beyond(users: int, limit: int | None, per_user: int) -> None:
    """Raise TooFewOpenFiles if so many users, whom somebody has asked for, do not fit."""
    allowed = allowed_users(limit, per_user)
    if limit is None or allowed is None or users <= allowed:
        return
    who, need = "user needs" if users == 1 else "users need", users * per_user + OWN_FILES
    raise TooFewOpenFiles(
        f"{users} {who} {need:,} open files, and the limit of {limit:,} allows {allowed}; "
        f"raise it with `ulimit -Hn {need}`, as root if need be, or ask for fewer users"
    )


def within(levels: Sequence[Level], allowed: int | None) -> tuple[Level, ...]:
    """Return the levels of no more users than are allowed."""
    return tuple(level for level in levels if allowed is None or level.users <= allowed)


def left_out_note(users: Iterable[int], limit: int | None, allowed: int | None) -> str | None:
    """Return the sentence for the levels that were left out, of all that were planned; None if none was."""
    left_out = [n for n in sorted(set(users)) if allowed is not None and n > allowed]
    if limit is None or not left_out:
        return None
    return (
        f"{', '.join(map(str, left_out))} users were left out: the limit of {limit:,} open files allows {allowed}; "
        "raise it with `ulimit -Hn`"
    )
