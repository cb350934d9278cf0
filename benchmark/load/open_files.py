"""How many users the limit of open files allows: every connection takes one file in each process."""

from collections.abc import Iterable, Sequence

from benchmark.contenders.answer_law import law_of
from benchmark.contenders.discovery import Contender
from benchmark.errors import BenchmarkError
from benchmark.load.plan import Level
from contract.limits import OWN_FILES


class TooFewOpenFiles(BenchmarkError):
    """The limit of open files is too low for the requested users."""


def files_per_user(contenders: Iterable[Contender], in_containers: bool = False) -> int:
    """Return how many files a user takes in the process of a contender that needs the most.

    That is its scoring handler, with one connection to the user, one to the store and one to each model. The
    generator needs only the first. In containers, which have their own limits, only the generator counts.
    """
    if in_containers:
        return 1
    laws = [law_of(contender) for contender in contenders]
    return max((2 + (law.models if law.asked != "none" else 0) for law in laws), default=1)


def allowed_users(limit: int | None, per_user: int) -> int | None:
    """Return how many users a limit of open files allows, minus the files that a process itself needs; None for
    no limit."""
    return None if limit is None else max((limit - OWN_FILES) // per_user, 0)


def refuse_beyond(users: int, limit: int | None, per_user: int) -> None:
    """Raise TooFewOpenFiles if the limit does not allow this many users."""
    allowed = allowed_users(limit, per_user)
    if limit is None or allowed is None or users <= allowed:
        return
    who, need = "user needs" if users == 1 else "users need", users * per_user + OWN_FILES
    raise TooFewOpenFiles(
        f"{users} {who} {need:,} open files, but the limit of {limit:,} allows {allowed} users: "
        f"raise it with `ulimit -Hn {need}` (may need root), or choose fewer users"
    )


def within(levels: Sequence[Level], allowed: int | None) -> tuple[Level, ...]:
    """Return the levels with at most the allowed number of users."""
    return tuple(level for level in levels if allowed is None or level.users <= allowed)


def left_out_note(users: Iterable[int], limit: int | None, allowed: int | None) -> str | None:
    """Return a note about the planned levels that the limit of open files excludes; None if there are none."""
    left_out = [n for n in sorted(set(users)) if allowed is not None and n > allowed]
    if limit is None or not left_out:
        return None
    return (
        f"{', '.join(map(str, left_out))} users were left out: the limit of {limit:,} open files allows "
        f"{allowed} users; raise it with `ulimit -Hn`"
    )
