"""The live page: what is new reaches every reader, and nothing but this machine is served."""

import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.experiments.live import server
from benchmark.experiments.live.server import Channel, LivePage

AT_ONCE_S = 0.01


@pytest.fixture
def channel() -> Channel:
    return Channel()


@pytest.fixture
def page(channel: Channel) -> Iterator[LivePage]:
    found = LivePage(channel)
    yield found
    found.close()


def get(page: LivePage, path: str, **headers: str) -> http.client.HTTPResponse:
    host, port = page.url.removeprefix("http://").strip("/").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.request("GET", path, headers=headers)
    return connection.getresponse()


def test_a_reader_that_comes_late_begins_with_what_holds_now(channel: Channel) -> None:
    for done in (1, 2):
        channel.publish("now", {"done": done})
    channel.publish("board", {"contenders": []})
    assert next(channel.events()) == ('event: now\ndata: {"done": 2}\n\nevent: board\ndata: {"contenders": []}\n\n')


def test_every_reader_gets_what_is_new_and_only_that(channel: Channel) -> None:
    channel.publish("now", {"done": 1})
    readers = [channel.events(AT_ONCE_S) for _ in range(2)]
    assert len({next(reader) for reader in readers}) == 1
    channel.publish("board", {})
    assert [next(reader) for reader in readers] == ["event: board\ndata: {}\n\n"] * 2
    assert [next(reader) for reader in readers] == [": still here\n\n"] * 2


def test_a_reader_gets_the_end_before_it_ends(channel: Channel) -> None:
    reader = channel.events()
    channel.publish("end", {"valid": True})
    channel.close()
    assert list(reader) == ['event: end\ndata: {"valid": true}\n\n']


def test_the_page_and_all_that_it_asks_for_come_from_here(page: LivePage) -> None:
    answer = get(page, "/")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
    text = answer.read().decode()
    asked = re.findall(r'(?:href|src)="(?!data:)([^"]+)"', text)
    assert sorted(asked) == ["live.css", "live.js", "report.css"]
    for path in asked:
        assert get(page, f"/{path}").status == 200
    assert "http" not in text


def test_events_are_streamed_until_the_page_is_closed(channel: Channel, page: LivePage) -> None:
    channel.publish("now", {"done": 1})
    stream = get(page, "/events")
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    assert [stream.readline() for _ in range(3)] == [b"event: now\n", b'data: {"done": 1}\n', b"\n"]
    channel.publish("now", {"done": 2})
    assert [stream.readline() for _ in range(3)][1] == b'data: {"done": 2}\n'
    channel.publish("end", {"valid": True})
    page.close()
    assert b'data: {"valid": true}' in stream.read()


@pytest.mark.parametrize(
    ("path", "host", "status"), [("/", "evil.example", 403), ("/../server.py", "", 404), ("/run", "", 404)]
)
def test_another_name_and_another_file_are_refused(page: LivePage, path: str, host: str, status: int) -> None:
    assert get(page, path, **({"Host": host} if host else {})).status == status


def test_the_script_sets_text_and_never_markup() -> None:
    script = Path(server.__file__).with_name("live.js").read_text()
    assert "textContent" in script
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script)


def test_what_is_published_is_one_line(channel: Channel) -> None:
    channel.publish("said", {"sentence": "first\nsecond"})
    _, data, _ = next(channel.events()).split("\n", 2)
    assert json.loads(data.removeprefix("data: ")) == {"sentence": "first\nsecond"}
