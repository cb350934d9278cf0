"""The figure of a `timeit` run by which two runs are compared."""

from benchmark.analysis.comparable import Comparable, contender_stands
from benchmark.experiments.timeit import fit
from benchmark.experiments.timeit.repeats import read_repeats
from benchmark.experiments.timeit.summarise import complete_repeats, repeat_sums
from benchmark.record.run import Run


def comparable(run: Run, label: str, _: int | None) -> list[Comparable]:
    timings = read_repeats(run.path)
    sums = repeat_sums(timings[timings["contender"] == label])
    whole = [repeat for repeat in complete_repeats(run.cells(), label) if repeat in sums]
    slopes = tuple(float(fit.slopes_ms(sums[repeat])) for repeat in whole)
    return [Comparable("time per call", "ms", True, slopes, contender_stands(run, run.summary["contenders"][label]))]
