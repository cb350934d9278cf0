"""`python -m strategies.hub.worker MS`: answers each line with a line, one at a time, until there is no more input.

If the hub dies, however that happens, the input ends, and so does the worker.
"""

import json
import signal
import sys
import traceback
from typing import Any, BinaryIO

from contract.errors import BadModelAnswer
from strategies.hub.model import predict


def answer(line: bytes, model_ms: float) -> dict[str, Any]:
    """Return what the model says of a JSON array, or why it says nothing. A bug in a model ends no worker."""
    try:
        return {"total": predict(json.loads(line), model_ms)}
    except BadModelAnswer as error:
        return {"failed": error.detail}
    except Exception:
        traceback.print_exc()
        return {"failed": "The model failed; the log says why."}


def work(requests: BinaryIO, answers: BinaryIO, model_ms: float) -> None:
    """Say that the worker is ready, and answer."""
    answers.write(b"ready\n")
    answers.flush()
    for line in requests:
        answers.write(json.dumps(answer(line, model_ms)).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the hub ends its workers
    work(sys.stdin.buffer, sys.stdout.buffer, float(sys.argv[1]))
