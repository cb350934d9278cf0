"""The command `compare`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from benchmark.errors import BenchmarkError
from benchmark.options import EXIT_INVALID, EXIT_USAGE, console

if TYPE_CHECKING:
    from benchmark.compare.verdict import Comparison

EXIT_SLOWER = 4
_COLOURS = {"faster": "green", "slower": "red", "INVALID": "strike dim", "no difference shown": ""}


def compare(
    a: Annotated[str, typer.Argument(help="A run directory, or RUN:contender.", metavar="A")],
    b: Annotated[str, typer.Argument(help="Another one, or the same with another contender.", metavar="B")],
    fail_if_slower: Annotated[
        str, typer.Option(help="End with status 4 if a shown difference makes B slower than A by more, e.g. 5%.")
    ] = "",
) -> None:
    """Show two recorded runs side by side: B / A of every figure, with interval and verdict.

    Works for two runs of `bench` or two of `timeit`. Exit status: 0, 2 for what cannot be read,
    3 if no figure is VALID in both, 4 see --fail-if-slower.
    """
    limit = parse_limit(fail_if_slower)
    from benchmark.compare.figures import figures_of
    from benchmark.compare.side import circumstances, open_side, pair_up
    from benchmark.compare.verdict import compare_figures, sentence

    try:
        sides = open_side(a), open_side(b)
        pairs = [
            (
                ours if ours == theirs else f"{ours} → {theirs}",
                figures_of(sides[0].run, ours),
                figures_of(sides[1].run, theirs),
            )
            for ours, theirs in pair_up(*sides)
        ]
    except BenchmarkError as error:
        console.print(f"error: {error}", style="red", soft_wrap=True, markup=False)
        raise typer.Exit(EXIT_USAGE) from error
    comparisons = compare_figures(pairs)
    for letter, side in zip("AB", sides, strict=True):
        console.print(
            f"{letter}: {side.run.path.name}, started {side.summary['started_utc']}", soft_wrap=True, markup=False
        )
    for difference in circumstances(sides[0].run.manifest, sides[1].run.manifest):
        console.print(f"   they differ in {difference}", soft_wrap=True, markup=False)
    console.print(_table(comparisons))
    console.print(sentence(comparisons), soft_wrap=True, markup=False)
    raise typer.Exit(_exit_status(comparisons, limit))


def parse_limit(text: str) -> float | None:
    """Return the share that `5%` (or `5`) means, or None for no limit."""
    if not text:
        return None
    try:
        percent = float(text.strip().removesuffix("%"))
    except ValueError:
        percent = -1.0
    if not 0 <= percent < float("inf"):
        raise typer.BadParameter(f"--fail-if-slower is {text!r}, expected a percentage such as 5%")
    return percent / 100


def _exit_status(comparisons: "Sequence[Comparison]", limit: float | None) -> int:
    if all(each.verdict == "INVALID" for each in comparisons):
        return EXIT_INVALID
    worse = [each for each in comparisons if each.verdict == "slower" and limit is not None and each.slower_by > limit]
    for each in worse:
        console.print(f"too slow: {each.contender}, {each.figure.name}: {each.slower_by:.1%} slower", markup=False)
    return EXIT_SLOWER if worse else 0


def _table(comparisons: "Sequence[Comparison]") -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")  # fits 80 columns
    table.add_column("figure", no_wrap=True)
    for heading in ("A", "B", "B / A", "95 % interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict")
    before = ""
    for each in comparisons:
        if each.contender != before:
            table.add_row(each.contender, style="bold")
        before = each.contender
        low, high = each.ratio.low, each.ratio.high
        table.add_row(
            escape(f"  {each.figure.name} [{each.figure.unit}]"),
            f"{each.a:,.4g}",
            f"{each.b:,.4g}",
            f"{each.ratio.value:.3f}",
            "-" if low is None or high is None else f"{low:.3f} … {high:.3f}",
            each.verdict,
            style=_COLOURS[each.verdict],
        )
    return table
