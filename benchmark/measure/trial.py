"""A trial: one contender in fresh processes, checked against the contract, put under load, and recorded."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.contenders.answer_law import AnswerLaw, law_of, scoring_settings
from benchmark.contenders.discovery import Contender
from benchmark.errors import BenchmarkError, RecordError
from benchmark.load import parity
from benchmark.measure.machine_load import SURROUNDINGS
from benchmark.measure.sampling import Sampler
from benchmark.record.run import TrialRecord
from benchmark.scenarios.discovery import scenario_of
from benchmark.stack.processes import Stack
from feature_store.seed import DEFAULT_INFO

if TYPE_CHECKING:
    from benchmark.measure.session import Session

_DIFFERENCES = 3  # to report at most: from a contender that does not answer, each takes a timeout


class ParityError(BenchmarkError):
    """A contender's answers violate the contract, so it is excluded."""

    code = "parity"


@dataclass
class Trial:
    """A contender that is ready for load. The outcome goes into `cell`."""

    session: "Session"
    contender: Contender  # with all settings of its processes
    stack: Stack
    cell: TrialRecord
    law: AnswerLaw
    companion: Any = None  # what `Session.trial` entered before the contender, such as a load generator
    sampler: Sampler | None = None  # while its resources are recorded

    @property
    def url(self) -> str:
        """The URL to which requests are sent."""
        return self.stack.base_url + self.contender.endpoint

    def phase(self, what: str) -> None:
        self.session.progress.phase(self.cell.contender, what)

    def fail(self, error: BenchmarkError) -> None:
        """Mark this trial as failed without ending the others of the contender."""
        self.cell.status, self.cell.code, self.cell.reason = "failed", error.code, str(error)

    def log(self, name: str) -> Path:
        """Return the log file of a process that is not part of the contender."""
        return self.session.logs(self.cell) / f"{self.cell.contender}-{name}.log"

    @contextlib.contextmanager
    def resources(self, others: Mapping[str, int]) -> Iterator[Sampler]:
        """Record CPU and memory of the contender, of `others` (pid by role) and of the machine. Raises RecordError."""
        sources = {running.role: running.usage_source for running in self.stack.processes}
        with (
            self.session.run.resource_writer(self.cell) as written,
            Sampler({**sources, **others, **SURROUNDINGS}, written.append) as sampler,
        ):
            self.sampler = sampler
            yield sampler
        if written.failure:
            raise RecordError(f"cannot write resource samples: {written.failure.strerror}")


def check_parity_of(stack: Stack) -> None:
    """Check a contender's answers against the service contract, if its scenario follows it.

    Raises ParityError, or StackError if a process has died.
    """
    contender = stack.contender
    if contender.runs_elsewhere or not scenario_of(contender).check.law:
        return
    cases = parity.cases(DEFAULT_INFO.entities, scoring_settings(contender).max_body_bytes)
    wanted = [case for case in cases if case.basic or not contender.harness_floor]
    differences = parity.find_differences(stack.base_url, contender.endpoint, wanted, law_of(contender).bounds_s)
    found = list(islice(differences, _DIFFERENCES))
    if found:
        stack.check_alive()
        raise ParityError(f"Excluded: its answers violate the contract ({'; '.join(found)})")
