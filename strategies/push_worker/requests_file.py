"""What the API is asked, in turn: `python -m strategies.push_worker.requests_file` writes it beside this file.

new.jsonl     always something new
mixed.jsonl   known summaries, and one in NEW_EVERY is new
poison.jsonl  new ones, and in between some that the model fails for
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from strategies.push_worker.fill import BODIES
from strategies.push_worker.parameters import KNOWN, NEIGHBOURS, NEW_EVERY, POISON

FOLDER: Final = Path(__file__).parent
# More than any run asks.
_NEW: Final = 15_000
_MIXED: Final = 4_000
_POISON: Final = 100


def is_new(place: int) -> bool:
    """Whether the request at a place of mixed.jsonl is a new one."""
    return place % NEW_EVERY == NEW_EVERY // 2


def is_poison(place: int) -> bool:
    """Whether the request at a place of poison.jsonl is one that the model fails for."""
    return place % (NEIGHBOURS + 1) == NEIGHBOURS // 2


def files() -> dict[str, list[str]]:
    """Return the lines of all files, by name. The total of each job is 20, as that of the known ones."""
    known = BODIES.read_text().splitlines()[:KNOWN]
    mixed = (_job(place) if is_new(place) else known[place % len(known)] for place in range(_MIXED))
    poison = (_job(place, POISON if is_poison(place) else 1.0) for place in range(_POISON))
    return {
        "new.jsonl": list(islice(_short(), _NEW)),
        "mixed.jsonl": list(mixed),
        "poison.jsonl": list(poison),
    }


def _short() -> Iterator[str]:
    """Yield jobs in few bytes. Their totals differ."""
    number = 1_000
    while True:
        yield f"[{number}]"
        number += 1


def _job(place: int, first: float = 1.0) -> str:
    number = 1_000 + place
    return f"[{first:g},{number},{10 - first - number:g}]"


if __name__ == "__main__":
    for name, lines in files().items():
        (FOLDER / name).write_text("".join(f"{line}\n" for line in lines))
