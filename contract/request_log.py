"""The line that a service logs per predict, if it is told to: status, time, stages. The same fields on both twins."""

import logging
from typing import Any

from contract.timing import parse_server_timing

_ONE_PER_MODEL = {"model", "drawn"}


def log_request(logger: logging.Logger, status: int | None, took_ms: float, server_timing: str | None) -> None:
    """Log a request; `status` is None if it ended without an answer, `server_timing` the header of its answer."""
    found = parse_server_timing(server_timing or "")
    stages: dict[str, Any] = {
        name: values if name in _ONE_PER_MODEL else values[0] for name, values in found.items() if values
    }
    shown = "".join(f" {name}={value}" for name, value in stages.items())
    logger.info(
        "predict status=%s ms=%.3f%s",
        "none" if status is None else status,
        took_ms,
        shown,
        extra={"status": status, "ms": round(took_ms, 3), "stages": stages},
    )
