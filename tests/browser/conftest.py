"""A browser for tests: the system's Chromium, which reaches this machine and nothing else."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.conftest import IN_CI

OTHER_NAME = "service.test"  # another name of this machine, in this browser
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    f"--host-resolver-rules=MAP {OTHER_NAME} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


@dataclass
class Seen:
    """What happened in a page: errors on its console or in its scripts, and every URL that it asked for."""

    errors: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)

    @property
    def hosts(self) -> set[str | None]:
        return {urlsplit(url).hostname for url in self.urls if not url.startswith(("data:", "blob:"))}


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium; without it, tests are skipped on a laptop and fail in CI."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        reason = "there is no chromium or chromium-browser on the PATH; install your system's package `chromium`"
        if IN_CI:
            pytest.fail(reason)
        pytest.skip(reason)
    return path


# Not for the session: while it is open, no other test of the process can run an event loop.
@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def page(browser: Browser, seen: Seen) -> Iterator[Page]:
    """A fresh page; what happens in it is in `seen`."""
    with browser.new_context() as context:
        page = context.new_page()
        page.on("console", lambda message: seen.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        page.on("requestfailed", lambda request: seen.errors.append(f"{request.url}: {request.failure}"))
        page.on("request", lambda request: seen.urls.append(request.url))
        yield page
