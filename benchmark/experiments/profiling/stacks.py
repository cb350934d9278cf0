"""Reading what the CPU sampler wrote: one call stack per 10 ms of CPU time that a process used.

The sampler (recorders.CpuSampler) lets the kernel's profiling timer interrupt whichever thread
is running, whenever the process has used another 10 ms of CPU time, and has the interpreter's
fault handler write that thread's stack down from within the interruption. So a stack is taken
where CPU time is spent, waiting costs nothing, no lock of the interpreter has to be had first,
and the number of stacks is by itself an estimate of the CPU time, to be held against what the
operating system counted.
"""

import re
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmark.experiments.profiling.libraries import Frame, library_of, short_path, stage_of
from benchmark.experiments.profiling.recorders import STACKS_SUFFIX

_POLL_S = 0.05
_HEADER = b"Stack (most recent call first):\n"
_LINE = re.compile(r'  File "(?P<file>.*)", line (?:\d+|\?\?\?) in (?P<function>.*)')

Stack = tuple[Frame, ...]  # innermost first


class LibraryShare(NamedTuple):
    """How many stacks were found in a library, on behalf of a stage of the handler."""

    library: str
    stage: str
    samples: int


def count_shares(stacks: Iterable[Stack]) -> list[LibraryShare]:
    """Return how many stacks each library and stage has, the most first.

    A stack that could not be read is empty and counts for nobody: it remains "not attributed".
    """
    counts = Counter((library_of(stack), stage_of(stack)) for stack in stacks if stack)
    return [LibraryShare(library, stage, count) for (library, stage), count in counts.most_common()]


def fold(stacks: Iterable[Stack]) -> str:
    """Return stacks in the folded format that speedscope and flame graph tools open: `outer;inner count`."""
    counts = Counter(
        ";".join(f"{short_path(frame.file)}:{frame.function}" for frame in reversed(stack)) for stack in stacks if stack
    )
    return "".join(f"{stack} {count}\n" for stack, count in sorted(counts.items()))


def read_stacks(written: bytes, start: int, end: int) -> Iterator[Stack]:
    """Yield the stacks whose first byte lies between two offsets of what a sampler wrote.

    A stack is empty if two threads wrote at the same time and it cannot be told apart.
    """
    at = written.find(_HEADER, start)
    while 0 <= at < end:
        body = at + len(_HEADER)
        following = written.find(_HEADER, body)
        text = written[body : following if following >= 0 else len(written)].decode(errors="replace")
        yield _parse(text)
        at = following


def _parse(text: str) -> Stack:
    frames: list[Frame] = []
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if not match:
            return () if line.strip() != "..." else tuple(frames)  # cut off at a hundred frames
        frames.append(Frame(match["file"], match["function"]))
    return tuple(frames)


class Growth:
    """Notes how the samplers' files in a folder grow, since a stack has no time of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: list[tuple[int, dict[str, int]]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="growth", daemon=True)

    def __enter__(self) -> "Growth":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def stacks_between(self, start_ns: int, end_ns: int) -> Iterator[Stack]:
        """Yield the stacks that all processes wrote between two moments of the monotonic clock."""
        before, after = self._sizes_at(start_ns), self._sizes_at(end_ns)
        for name in after:
            yield from read_stacks((self._folder / name).read_bytes(), before.get(name, 0), after[name])

    def _sizes_at(self, t_ns: int) -> Mapping[str, int]:
        """Return the sizes at the observation that is nearest to a moment: at most half an interval off."""
        return min(self._seen, key=lambda seen: abs(seen[0] - t_ns))[1] if self._seen else {}

    def _run(self) -> None:
        while True:
            files: Sequence[Path] = list(self._folder.glob(f"*{STACKS_SUFFIX}"))
            self._seen.append((time.monotonic_ns(), {path.name: path.stat().st_size for path in files}))
            if self._stop.wait(_POLL_S):
                return
