"""`make calibrate`: simulate runs, and write the tables of doc/measurement.md that say what the intervals are worth.

The figures lie in doc/recorded/calibration.json. They depend on the seed and on the code only, not on the machine.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmark.compare.calibration import calibrate

RECORD: Final = Path(__file__).resolve().parent / "recorded" / "calibration.json"
PAGE: Final = Path(__file__).resolve().parent / "measurement.md"
BLOCK: Final = "calibration"
SEARCHES: Final = 250  # of each law
FIRST_SEARCHES: Final = 2  # whose outcome is recorded as well, so that a test can simulate them again


def recorded() -> dict[str, Any]:
    """Return the figures that were computed last."""
    found: dict[str, Any] = json.loads(RECORD.read_text())
    return found


def tables(record: Mapping[str, Any]) -> str:
    """Return the tables and what they are about."""
    return "\n".join(
        (
            f"The 95 % interval of a figure holds the truth in so many of {record['runs']:,} simulated runs each:",
            "",
            _table(("figure", "what is simulated", "holds the truth"), map(_coverage, record["coverage"])),
            f"So does that of `capacity`, in {record['searches']} simulated searches each; the half-width and the "
            "minutes are those of the median search:",
            "",
            _table(
                ("a server whose capacity is known", "holds the truth", "half-width", "minutes"),
                map(_capacity, record["capacity"]),
            ),
            f"`bench` with {record['comparisons']} comparisons, one of which differs by so much; ratios vary by 2 % "
            "from block to block:",
            "",
            _table(
                ("blocks", "difference", "it is claimed", "another one is significant, by chance"),
                map(_holm, record["holm"]),
            ),
            f"`gate` with {record['figures']} figures, each worse by so much, 2 % allowed; ratios vary by 2 % from "
            "pair to pair, or else a tenth of the blocks was disturbed by 10 %, too:",
            "",
            _table(
                (
                    "pairs in the time",
                    "disturbed",
                    "change",
                    "worse than allowed",
                    "not worse",
                    "cannot be told",
                    "pairs it took",
                ),
                map(_gate, record["gate"]),
            ),
            f"Computed with `make calibrate` (seed {record['seed']}).\n",
        )
    )


def _coverage(row: Mapping[str, Any]) -> Sequence[str]:
    return row["figure"], row["situation"], _percent(row["held"])


def _capacity(row: Mapping[str, Any]) -> Sequence[str]:
    return row["law"], _percent(row["held"]), _percent(row["half_width"]), f"{row['minutes']:.1f}"


def _holm(row: Mapping[str, Any]) -> Sequence[str]:
    claimed = _percent(row["claimed"]) if row["change"] else "-"
    return str(row["blocks"]), _change(row), claimed, _percent(row["false_alarms"])


def _gate(row: Mapping[str, Any]) -> Sequence[str]:
    left = 1 - row["worse"] - row["not_worse"]
    decisions = map(_percent, (row["worse"], row["not_worse"], left))
    return str(row["budget"]), "yes" if row["disturbed"] else "no", _change(row), *decisions, f"{row['pairs']:.0f}"


def _change(row: Mapping[str, Any]) -> str:
    return f"+{100 * row['change']:g} %" if row["change"] else "none"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _table(heads: Sequence[str], rows: Any) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def capacity(searches: int = SEARCHES) -> list[dict[str, object]]:
    """Return how well `capacity` finds each of the known capacities."""
    from tests.capacity.laws import LAWS  # noqa: PLC0415 - the tests are not part of every image
    from tests.capacity.simulate import outcome_of  # noqa: PLC0415

    return [outcome_of(law, searches).recorded(FIRST_SEARCHES) for law in LAWS]


def main() -> None:
    """Compute all figures anew, record them, and write the page and its tables."""
    from doc.generate import filled  # noqa: PLC0415 - which imports this module

    found = {**calibrate(), "searches": SEARCHES, "capacity": capacity()}
    RECORD.write_text(json.dumps(found, indent=1) + "\n")
    text = tables(recorded())
    PAGE.write_text(filled(PAGE.name, PAGE.read_text(), {BLOCK: text}))
    print(text)


if __name__ == "__main__":
    main()
