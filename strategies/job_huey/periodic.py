"""`python -m strategies.job_huey.periodic`: how often a periodic task is enqueued by one consumer, and by two.

A quarter of an hour is played through huey's scheduler, minute by minute. Prints a JSON object.
"""

import json
import threading
from datetime import datetime, timedelta
from typing import Any, Final

from huey.consumer import Scheduler

from feature_store.server import embedded_server
from strategies.job_huey.features import REFRESHED, add_refresh
from strategies.job_huey.jobs import make_huey
from strategies.job_huey.settings import JobSettings

MINUTES: Final = 15
_NOON: Final = datetime(2024, 2, 29, 12)


def minutes() -> list[datetime]:
    """Return the minutes that are played."""
    return [_NOON + timedelta(minutes=number) for number in range(MINUTES)]


def play(huey: Any, *with_periodic: bool) -> int:
    """Return how many tasks are enqueued by consumers, each with its periodic tasks or, as by -n, without."""
    ended = threading.Event()
    ended.set()  # so that the scheduler does not wait for its next second
    huey.flush()
    for minute in minutes():
        for periodic in with_periodic:
            Scheduler(huey, ended, interval=1, periodic=periodic).loop(minute)
    return int(huey.pending_count())


def work_off(huey: Any) -> None:
    """Do what is in the queue."""
    while len(huey):
        huey.execute(huey.dequeue())


def measure(huey: Any) -> dict[str, float]:
    """Return all figures."""
    add_refresh(huey)
    due = sum(len(huey.read_periodic(minute)) for minute in minutes())
    found = {"due": due, "enqueued_by_two": play(huey, True, True)}
    work_off(huey)
    found |= {"refreshed_by_two": int(huey.storage.conn.getdel(REFRESHED))}
    found |= {"enqueued_with_n": play(huey, True, False), "enqueued_by_one": play(huey, True)}
    work_off(huey)
    found |= {"refreshed_by_one": int(huey.storage.conn.getdel(REFRESHED))}
    return {name: float(count) for name, count in {**found, "missed": due - found["refreshed_by_one"]}.items()}


if __name__ == "__main__":
    with embedded_server() as url:
        print(json.dumps(measure(make_huey(JobSettings(redis_url=url)))))
