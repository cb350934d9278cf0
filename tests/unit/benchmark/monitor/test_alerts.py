"""A webhook is told in order, is tried again, and changes nothing when it fails."""

import asyncio
from collections.abc import Callable
from typing import Any

from benchmark.monitor.alerts import Webhook, message, sentence
from benchmark.monitor.health import Change
from tests.unit.benchmark.monitor.watched import WATCH, A, beat

DOWN = Change(A, "down", beat(40), beat(43), "status 500 after 3 ms")
WELL = Change(A, "well", beat(90), beat(95), "answers again", beat(90) - beat(40))
HOOK = "https://hooks.example/services/T0/S3CRET"


class Receiver:
    """A webhook's other side, which answers as it is told and remembers what it got."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.got: list[dict[str, Any]] = []
        self.said: list[str] = []
        self.slept: list[float] = []

    async def post(self, url: str, document: dict[str, Any]) -> int:
        self.got.append(document)
        answer = self.answers.pop(0) if self.answers else 204
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def told(self, *documents: dict[str, Any], post: Callable[..., Any] | None = None, within_s: float = 10) -> None:
        """Tell a webhook, and wait until it has been told."""

        async def tell() -> None:
            webhook = Webhook(HOOK, post or self.post, self.said.append, self.sleep)
            for document in documents:
                webhook.tell(document)
            await webhook.close(within_s)

        asyncio.run(tell())


def test_the_message_says_which_service_what_and_since_when() -> None:
    assert message(DOWN, WATCH) == {
        "text": f"{A} is down since 07:00:04 UTC: status 500 after 3 ms",
        "service": A,
        "url": f"http://{A}/api/v1/healthcheck",
        "state": "down",
        "since": "2026-11-28T07:00:04.000+00:00",
        "noticed": "2026-11-28T07:00:04.300+00:00",
        "why": "status 500 after 3 ms",
    }
    assert message(WELL, WATCH)["lasted_s"] == 5.0
    assert sentence(WELL, WATCH) == f"{A} is well again since 07:00:09 UTC, after 5.0 s"


def test_messages_arrive_in_order() -> None:
    receiver = Receiver()
    receiver.told(message(DOWN, WATCH), message(WELL, WATCH))
    assert [each["state"] for each in receiver.got] == ["down", "well"]
    assert receiver.said == []


def test_a_delivery_that_fails_is_tried_three_times_more() -> None:
    receiver = Receiver(500, ConnectionRefusedError(), 503, 200)
    receiver.told(message(DOWN, WATCH))
    assert len(receiver.got) == 4
    assert len(receiver.slept) == 3
    assert receiver.said == []


def test_after_that_it_is_said_without_the_secret_and_the_next_one_is_delivered() -> None:
    receiver = Receiver(*[500] * 4)
    receiver.told(message(DOWN, WATCH), message(WELL, WATCH))
    assert receiver.said == [f"the webhook at hooks.example was not told that {A} is down: status 500"]
    assert receiver.got[-1]["state"] == "well"


def test_whatever_goes_wrong_is_a_sentence_without_the_secret() -> None:
    receiver = Receiver(*[ValueError(f"bad {HOOK}")] * 4)
    receiver.told(message(DOWN, WATCH))
    assert receiver.said == [f"the webhook at hooks.example was not told that {A} is down: ValueError"]


def test_a_redirect_is_no_delivery() -> None:
    receiver = Receiver(302, 200)
    receiver.told(message(DOWN, WATCH))
    assert len(receiver.got) == 2


def test_one_that_never_answers_does_not_keep_the_watch_from_ending() -> None:
    receiver = Receiver()

    async def silent(url: str, document: dict[str, Any]) -> int:
        await asyncio.sleep(3600)
        return 200

    receiver.told(message(DOWN, WATCH), post=silent, within_s=0.01)
    assert receiver.said == ["not all alerts could be delivered to the webhook at hooks.example before the end"]
