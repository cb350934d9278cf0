"""`python -m strategies.frameworks.answers COUNT`: whether each of many different requests gets its own answer.

The scenario asks the same again and again, which shows how fast a service is, but not whether batches mix up answers.
Here the rows differ, and the model is ten times as fast. Prints how many answers of each were wrong or missing.
"""

import asyncio
import json
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Final

import aiohttp

from benchmark.contenders.discovery import discover
from benchmark.contenders.service_settings import with_variables
from benchmark.errors import NotAvailable
from benchmark.stack.processes import running_stack
from benchmark.stack.watchdog import Guard

ASKED: Final = {name: f"frameworks-{name}-batched" for name in ("fastapi", "bentoml", "litserve")}
_SPEED: Final = "10"
_AT_ONCE: Final = 32


async def count_wrong(url: str, count: int) -> int:
    """Ask for `count` different rows, several at once, and return how many answers are not those to their rows."""
    numbers, wrong = iter(range(count)), 0

    async def ask(client: aiohttp.ClientSession) -> None:
        nonlocal wrong
        for number in numbers:
            row = [float(number), number / 7]
            try:
                async with client.post(url, json={"rows": [row]}) as response:
                    wrong += response.status != 200 or await response.json() != [sum(row)]
            except (aiohttp.ClientError, TimeoutError, ValueError):
                wrong += 1

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as client:
        await asyncio.gather(*(ask(client) for _ in range(_AT_ONCE)))
    return wrong


def main(count: int) -> None:
    """Print how many answers were wrong, of those services that can be had."""
    found = {}
    known = discover()
    with closing(Guard()) as guard, tempfile.TemporaryDirectory() as logs:
        for key, name in ASKED.items():
            contender = with_variables(known[name], {"STRATEGY_SPEED": _SPEED})
            try:
                with running_stack(contender, Path(logs), guard, free_ports=True) as stack:
                    found[f"{key}_wrong"] = asyncio.run(count_wrong(stack.base_url + contender.endpoint, count))
            except NotAvailable:
                continue  # the contender itself says why
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]))
