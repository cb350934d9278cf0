"""What makes a sentence an answer: few words, few numbers, no interval."""

import re
from typing import Final

MAX_WORDS: Final = 25
MAX_NUMBERS: Final = 3
# A number stands by itself: `p99` and `v2` are names. Thousands are grouped, and a sign belongs to it.
_NUMBER: Final = re.compile(r"(?<![\w.])[-−+]?\d[\d,]*(?:\.\d+)?(?![\w])")
_INTERVAL: Final = re.compile(r"\[[^\]]*\d[^\]]*\]|\d %? ?interval|interval of|\d to \d")


def faults(text: str) -> list[str]:
    """Return what keeps a sentence from being an answer; nothing if it is one."""
    words, numbers = text.split(), _NUMBER.findall(text)
    found = []
    if len(words) > MAX_WORDS:
        found.append(f"{len(words)} words, expected at most {MAX_WORDS}: {text}")
    if len(numbers) > MAX_NUMBERS:
        found.append(f"{len(numbers)} numbers, expected at most {MAX_NUMBERS}: {text}")
    if _INTERVAL.search(text):
        found.append(f"an interval: {text}")
    if not text.endswith((".", "?")):
        found.append(f"no full stop at its end: {text}")
    return found
