"""Both services at the same moment: two load generators that begin together, for what is paired by second."""

import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from benchmark.contenders.discovery import Contender
from benchmark.errors import BenchmarkError, RecordError
from benchmark.experiments.versus.plan import VersusPlan
from benchmark.load.plan import Pause
from benchmark.measure.levels import Levels, hold
from benchmark.measure.session import Session
from benchmark.measure.trial import Trial

_LAST_BEFORE = 2  # the wait after the pause, which is the last one before the requests
_PATIENCE_S = 90.0  # until the other service is up, too


class _Together:
    """Lets load generators go on from a pause only when all have come there."""

    def __init__(self, count: int) -> None:
        self._barrier = threading.Barrier(count)
        self._waits: Counter[str] = Counter()
        self.is_over = False

    def on_event(self, trial: Trial, event: str) -> None:
        if self.is_over:
            raise KeyboardInterrupt
        self._waits[trial.cell.contender] += event == "waiting"
        if event == "waiting" and self._waits[trial.cell.contender] == _LAST_BEFORE:
            try:
                self._barrier.wait(_PATIENCE_S)
            except threading.BrokenBarrierError as error:
                raise DuetBroken("the other service of the duet was not ready, so both were not asked") from error

    def give_up_waiting(self) -> None:
        """Let those that still wait for another one fail."""
        self._barrier.abort()

    def give_up(self) -> None:
        self.is_over = True
        self._barrier.abort()


class DuetBroken(BenchmarkError):
    """One of two trials failed, so the other one has nobody to be paired with."""

    code = "duet"


def hold_both(session: Session, contenders: Sequence[Contender], plan: VersusPlan, block: int) -> None:
    """Ask both services the same requests at the same times, each from a process of its own."""
    together = _Together(len(contenders))
    load = Levels((), loads=(Pause(0.0), plan.arrivals(block)), stage_clock=False, expected=plan.expected)

    def hold_one(contender: Contender) -> None:
        try:
            hold(session, contender, load, block, on_event=together.on_event)
        except RecordError:
            together.give_up_waiting()
            raise
        except BenchmarkError:
            together.give_up_waiting()
        except KeyboardInterrupt:
            pass  # told by `give_up`, and recorded as interrupted

    with ThreadPoolExecutor(len(contenders)) as threads:
        try:
            for future in [threads.submit(hold_one, contender) for contender in contenders]:
                future.result()
        except BaseException:
            together.give_up()
            raise
    for cell in session.cells[-len(contenders) :]:
        session.progress.cell_done(cell)
