"""An ongoing run. `Session.trial` is the only place that configures a contender's processes, checks its answers and
records the result. The caller of `trial` applies the load."""

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.contenders.answer_law import law_of, scoring_settings
from benchmark.contenders.discovery import Contender
from benchmark.contenders.service_settings import SEED, STAGE_CLOCK, with_room_for, with_variables
from benchmark.errors import BenchmarkError, RecordError
from benchmark.measure.progress import Progress
from benchmark.measure.trial import ParityError, Trial, check_parity_of
from benchmark.record.run import Run, TrialRecord
from benchmark.stack.processes import Launcher, ProcessLauncher, running_stack
from benchmark.stack.watchdog import Guard


@dataclass
class Session:
    """An ongoing run: everything that its trials share."""

    run: Run
    guard: Guard
    progress: Progress
    seed: int = 1
    free_ports: bool = False
    launcher: Launcher = field(default_factory=ProcessLauncher)
    cells: list[TrialRecord] = field(default_factory=list)  # finished trials
    _passed: set[str] = field(default_factory=set)  # labels whose answers follow the contract
    _refused: dict[str, ParityError] = field(default_factory=dict)  # by label, those whose answers do not

    @contextlib.contextmanager
    def trial(
        self,
        contender: Contender,
        block: int = 0,
        part: str = "",
        *,
        stage_clock: bool = True,
        at_once: int = 0,
        companion: AbstractContextManager[Any] | None = None,
    ) -> Iterator[Trial]:
        """Start a contender in fresh processes, check its answers against the contract, and stop it at the end.

        Every outcome is recorded. `part` distinguishes several trials of a contender within a block. Its scoring
        handler lets in `at_once` requests, or more; 0 leaves the limit that it has. `companion` is entered before the
        services start, so that a load generator can load meanwhile. Raises StackError, ParityError (without starting
        anything if an earlier trial raised it), or what the block raises.
        """
        cell = TrialRecord(block, contender.label, seed=self.seed * 1000 + block, part=part)
        try:
            with contextlib.ExitStack() as opened:
                if contender.label in self._refused:
                    raise self._refused[contender.label]
                started = opened.enter_context(companion) if companion else None
                yield self._started(with_room_for(contender, at_once), cell, stage_clock, started, opened)
        except RecordError as error:
            cell.status, cell.code, cell.reason = "interrupted", error.code, str(error)
            raise
        except BenchmarkError as error:
            cell.status, cell.code, cell.reason = "failed", error.code, str(error)
            raise
        except BaseException as error:
            if cell.status == "measured":
                cell.status, cell.code = "interrupted", "interrupted"
                cell.reason = f"interrupted by {type(error).__name__}"
            raise
        finally:
            self._record(cell)

    def note(self, contender: Contender, error: BenchmarkError | None = None) -> TrialRecord:
        """Record that all trials of a contender have ended, or the error that ended them."""
        cell = TrialRecord(0, contender.label, self.seed * 1000)
        if error:
            cell.status, cell.code, cell.reason = "failed", error.code, str(error)
        self._record(cell)
        return cell

    def logs(self, cell: TrialRecord) -> Path:
        """Return the folder for the logs of a trial's processes."""
        folder = self.run.path / "logs" / f"block-{cell.block + 1}{cell.part and '-'}{cell.part}"
        folder.mkdir(exist_ok=True)
        return folder

    def _started(
        self, contender: Contender, cell: TrialRecord, stage_clock: bool, companion: Any, opened: contextlib.ExitStack
    ) -> Trial:
        self.progress.phase(cell.contender, "start")
        clock = stage_clock and scoring_settings(contender).stage_clock
        contender = with_variables(contender, {SEED: str(cell.seed), STAGE_CLOCK: str(clock).lower()})
        stack = opened.enter_context(
            running_stack(contender, self.logs(cell), self.guard, None, self.free_ports, self.launcher)
        )
        trial = Trial(self, contender, stack, cell, law_of(contender), companion)
        if cell.contender not in self._passed:
            trial.phase("parity")
            try:
                check_parity_of(stack)
            except ParityError as error:
                self._refused[cell.contender] = error
                raise
            self._passed.add(cell.contender)
        return trial

    def _record(self, cell: TrialRecord) -> None:
        self.cells.append(cell)
        self.run.append_cell(cell)
