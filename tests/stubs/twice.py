"""`python -m tests.stubs.twice PLAN.json`: the load generator, with one protocol more."""

import runpy

from benchmark.load.protocols import PROTOCOLS, Ask, Flow


def twice(ask: Ask) -> Flow:
    """Ask, and ask again what was answered: the second answer counts."""
    first = yield ask.request()
    second = yield ask.request()._replace(body=first.body)
    return ask.judge(second, first.sent_ns, requests=2)


PROTOCOLS["twice"] = twice

if __name__ == "__main__":
    runpy.run_module("benchmark.load.runner", run_name="__main__")
