"""Measures the scheduling delay of this process: a thread sleeps and logs how much later than requested it woke."""

import logging
import threading
import time

from contract.lag import LagMeter

logger = logging.getLogger("sync_api")


class LagSampler:
    """Logs once per second how long a ready thread waits for the CPU and the interpreter lock."""

    def __init__(self, interval_ms: int) -> None:
        self._interval_s = interval_ms / 1e3
        self._meter = LagMeter(interval_ms)
        self._stopping = False
        self._thread = threading.Thread(target=self._sample, name="lag", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._thread.join()

    def _sample(self) -> None:
        while not self._stopping:
            asleep_ns = time.monotonic_ns()
            time.sleep(self._interval_s)
            sample = self._meter.add(asleep_ns, time.monotonic_ns())
            if sample:
                logger.info(sample.line())
