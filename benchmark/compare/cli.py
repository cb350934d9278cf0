"""The command `compare`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from benchmark.cli_options import EXIT_INVALID, EXIT_USAGE, console
from benchmark.errors import BenchmarkError

if TYPE_CHECKING:
    from benchmark.compare.run_pairs import ComparedSide
    from benchmark.compare.verdict import ComparedFigure, Pair

EXIT_SLOWER = 4
_COLOURS = {"faster": "green", "slower": "red", "INVALID": "strike dim", "no difference shown": ""}
_WORDS = {"no difference shown": "not shown"}


def compare(
    a: Annotated[str, typer.Argument(help="The run to compare with: a run directory, or RUN:contender.", metavar="A")],
    b: Annotated[str, typer.Argument(help="The other run, or the same run with another contender.", metavar="B")],
    fail_if_slower: Annotated[
        str,
        typer.Option(
            help="Act as a gate for CI: exit with 0 only if every figure of A was compared and none is slower in B by "
            "more than this, e.g. 5%. Limits below 2% count as 2%."
        ),
    ] = "",
) -> None:
    """Compare two recorded runs, or two contenders: B / A of every figure, with interval and verdict. Takes seconds.

    Works for two runs of `bench` or two of `timeit`. The interval in the table decides the verdict.

    Exit status: 0 compared, 2 a run cannot be read, 3 no figure is VALID in both.

    With --fail-if-slower: 0 no figure of B is slower by more, 4 one certainly is, 3 undecided.

    If undecided, the output lists why: figures of A that are INVALID or missing in B, intervals that are too wide.
    """
    limit = parse_limit(fail_if_slower)
    from benchmark.compare.gate import unseen
    from benchmark.compare.run_pairs import circumstances, open_side
    from benchmark.compare.verdict import compare_figures, sentence
    from benchmark.record.damage import readable

    try:
        sides = open_side(a), open_side(b)
        with readable(*dict.fromkeys(side.run.path for side in sides)):
            pairs = _pairs(*sides)
            comparisons = compare_figures(pairs)
            started_utc = [str(side.summary["started_utc"]) for side in sides]
            differences = circumstances(sides[0].run.manifest, sides[1].run.manifest)
    except BenchmarkError as error:
        console.print(f"error: {error}", style="red", soft_wrap=True, markup=False)
        raise typer.Exit(EXIT_USAGE) from error
    for letter, side, started in zip("AB", sides, started_utc, strict=True):
        console.print(f"{letter}: {side.run.path.name}, started {started}", soft_wrap=True, markup=False)
    for difference in differences:
        console.print(f"   they differ in {difference}", soft_wrap=True, markup=False)
    console.print(_table(comparisons))
    console.print(sentence(comparisons), soft_wrap=True, markup=False)
    raise typer.Exit(_exit_status(comparisons, unseen(pairs), limit))


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


def _pairs(a: "ComparedSide", b: "ComparedSide") -> "list[Pair]":
    """Return the pairs of contenders to compare, and those of A without a counterpart. Raises RecordError."""
    from benchmark.compare.figures import figures_of, pair_of
    from benchmark.compare.run_pairs import only_in_a, pair_up

    pairs: list[Pair] = [
        (ours if ours == theirs else f"{ours} → {theirs}", *pair_of(a.run, ours, b.run, theirs))
        for ours, theirs in pair_up(a, b)
    ]
    return pairs + [(name, figures_of(a.run, name), {}) for name in only_in_a(a, b)]


def _exit_status(comparisons: "Sequence[ComparedFigure]", unseen: "Sequence[str]", limit: float | None) -> int:
    from benchmark.compare.gate import judge

    if limit is None:
        for each in unseen:
            console.print(f"not compared: {each}", soft_wrap=True, markup=False)
        return EXIT_INVALID if all(each.verdict == "INVALID" for each in comparisons) else 0
    outcome = judge(comparisons, unseen, limit)
    for each in outcome.sentences:
        console.print(each, soft_wrap=True, markup=False)
    return EXIT_SLOWER if outcome.slower else 0 if outcome.passes else EXIT_INVALID


def _table(comparisons: "Sequence[ComparedFigure]") -> Table:
    counted = sum(each.verdict != "INVALID" for each in comparisons)
    interval = "95 % interval" + (f",\nadjusted for {counted}" if counted > 1 else "")
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")  # fits 80 columns
    table.add_column("figure", no_wrap=True)
    for heading in ("A", "B", "B / A", interval):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict")
    before = ""
    for each in comparisons:
        if each.contender != before:
            table.add_row(each.contender, style="bold")
        before = each.contender
        ends = each.ratio.as_list()
        table.add_row(
            escape(f"  {each.figure.name} [{each.figure.unit}]"),
            _value(each.a),
            _value(each.b),
            _ratio(each.ratio.value),
            " … ".join(map(_ratio, ends)) if ends else "-",
            "below 2 %" if each.too_small else _WORDS.get(each.verdict, each.verdict),
            style=_COLOURS[each.verdict],
        )
    return table


def _value(value: float) -> str:
    return f"{value:,.4g}" if value >= 0.1 else f"{value:.3g}"


def _ratio(ratio: float) -> str:
    """Return a ratio in six characters at most."""
    if ratio < 0.001:
        return "<0.001"
    if ratio >= 999.5:
        return ">999"
    return f"{ratio:.3f}" if ratio < 10 else f"{ratio:.4g}"
