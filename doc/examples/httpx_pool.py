"""Requests per second of httpx with two sizes of its pool, against the same server.

make up && .venv/bin/python doc/examples/httpx_pool.py [URL [USERS [SECONDS]]]; make down
"""

import asyncio
import sys
import time

import httpx

URL = "http://127.0.0.1:8000/api/v1/healthcheck"  # the async model service of `make up`
POOLS = {
    "requests queue for the pool": httpx.Limits(max_connections=64, max_keepalive_connections=20),
    "no request queues": httpx.Limits(max_connections=2048, max_keepalive_connections=20),
}


async def requests_per_second(limits: httpx.Limits, url: str, users: int, seconds: float) -> float:
    """Let users ask again and again, each as soon as it has its answer."""
    answered = 0
    async with httpx.AsyncClient(limits=limits, timeout=60, trust_env=False) as client:
        started = time.perf_counter()

        async def user() -> None:
            nonlocal answered
            while time.perf_counter() < started + seconds:
                (await client.get(url)).raise_for_status()
                answered += 1

        await asyncio.gather(*(user() for _ in range(users)))
        return answered / (time.perf_counter() - started)


if __name__ == "__main__":
    given = sys.argv[1:]
    url, users, seconds = [*given, *(URL, "256", "5")[len(given) :]]
    for name, limits in POOLS.items():
        rate = asyncio.run(requests_per_second(limits, url, int(users), float(seconds)))
        print(f"{name} ({limits.max_connections} connections, {users} users): {rate:.0f} requests/s")
