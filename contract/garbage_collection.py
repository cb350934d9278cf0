"""Keeps what a process created at startup out of garbage collection, before its first request."""

import gc


def freeze_startup_objects() -> None:
    """Collect garbage once, then freeze what was created at startup (gc.freeze): modules, routes, clients, settings.

    These tens of thousands of objects live as long as the process. Without this, every full collection scans all of
    them, and no request is handled meanwhile.
    """
    gc.collect()
    gc.freeze()
