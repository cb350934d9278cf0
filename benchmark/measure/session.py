"""What every command does around its measuring: guard, progress, Ctrl-C, and the report, whatever became of it."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from benchmark.measure.progress import Progress
from benchmark.record.run import Run
from benchmark.stack.watchdog import Guard


@contextmanager
def measuring(
    run: Run, progress: Progress, cells: int, cell_s: float, report: Callable[[bool], None]
) -> Iterator[Guard]:
    """Measure within the block, which ends at Ctrl-C; what was measured by then is reported, however it ends.

    The run is announced as so many cells of about `cell_s` seconds. `report` is told whether the
    block was interrupted, and writes summary and page; a complete run becomes the latest.
    """
    interrupted = False
    with progress, closing(Guard()) as guard:
        progress.begin(run.path, cells, cell_s)
        try:
            yield guard
        except KeyboardInterrupt:
            interrupted = True
            progress.say("interrupted; reporting what was measured")
        finally:
            progress.phase("", "summary and report")
            run.note_end()
            report(interrupted)
            if run.summary["complete"]:
                run.point_latest_here()
