"""What a process has loaded is set aside from garbage collection, before it answers or sends its first request."""

import gc


def set_aside_what_is_loaded() -> None:
    """Collect once, then keep all that is left out of later collections: modules, routes, clients, settings.

    None of it becomes garbage while the process lives, but every full collection looks through it,
    tens of thousands of objects, and nothing else runs meanwhile (`gc.freeze`).
    """
    gc.collect()
    gc.freeze()
