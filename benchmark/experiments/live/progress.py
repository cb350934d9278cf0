"""The progress display with a live page beside it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from benchmark.experiments.live.board import Board
from benchmark.experiments.live.server import Channel, LivePage
from benchmark.measure.progress import Progress
from benchmark.record.run import Run, TrialRecord


class LiveProgress(Progress):
    """Tells the page what the terminal is told, and after each trial the figures so far.

    These are computed between two trials, when nothing is measured. Whatever goes wrong with the page is said once,
    and never ends the measurement.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._channel = Channel()
        self._page: LivePage | None = None
        self._board: Board | None = None
        self._run: Run | None = None
        self._done, self._trials = 0, 0
        self._now: dict[str, object] = {}

    def __enter__(self) -> "LiveProgress":
        super().__enter__()
        with self._or_without():
            self._page = LivePage(self._channel)
            self.say(f"live: {self._page.url}")
        return self

    def __exit__(self, *error: object) -> None:
        with self._or_without():
            self._end()
        super().__exit__(*error)

    def begin(self, path: Path, cells: int, cell_s: float) -> None:
        super().begin(path, cells, cell_s)
        self._run, self._trials = Run(path), cells
        with self._or_without():
            self._board = Board(self._run)
            self._channel.publish("run", {"command": self._run.manifest["command_line"], "path": str(path)})

    def phase(self, contender: str, phase: str) -> None:
        super().phase(contender, phase)
        now = {"contender": contender, "phase": phase, "done": self._done, "trials": self._trials}
        if now != self._now:  # the terminal is told several times a second, for the remaining time
            self._now = now
            self._channel.publish("now", {**now, "left": self._remaining()})

    def cell_done(self, cell: TrialRecord, expected_s: float = 0.0) -> None:
        super().cell_done(cell, expected_s)
        self._done += 1
        with self._or_without():
            if self._board:
                self._board.add(cell)
                self._channel.publish("board", self._board.document())

    def say(self, sentence: str) -> None:
        super().say(sentence)
        self._channel.publish("said", {"sentence": sentence})

    def _end(self) -> None:
        try:
            if self._run:
                summary = self._run.summary
                state = {name: bool(summary.get(name)) for name in ("valid", "complete")}
                self._channel.publish("end", {**state, "report": str(self._run.path / "report.html")})
        finally:
            if self._page:
                self._page.close()

    @contextlib.contextmanager
    def _or_without(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # whatever it is, the measurement goes on
            self._board = None
            super().say(f"the live page shows no more figures: {' '.join(str(error).split())}")


def progress_on(console: Console, live: bool) -> Progress:
    """Return the progress display on a terminal, with a live page beside it if there is to be one."""
    return LiveProgress(console) if live else Progress(console)
