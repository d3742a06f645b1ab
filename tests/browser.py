"""Chromium for the tests that look at pages, and what they ask of every page."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
PHONE, DESK = ViewportSize(width=360, height=740), ViewportSize(width=1280, height=900)
WAIT_MS = 30_000  # of a machine with much else to do


def chromium() -> str:
    """The path of the browser; without one the test fails."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.fail("this test needs Chromium: apt-get install chromium (.ci/run does so)")
    return found


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page, with what its console said and what it asked the network for.

    Args:
        browser: that shows it.
        size: of the window.
        dark: whether the reader prefers dark pages.
    """

    def __init__(self, browser: Browser, size: ViewportSize = DESK, *, dark: bool = False) -> None:
        self.page: Page = browser.new_page(
            viewport=size, color_scheme="dark" if dark else "light", accept_downloads=True
        )
        self.page.set_default_timeout(WAIT_MS)
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def sideways(self) -> int:
        """Pixels by which the page is wider than the window."""
        wider: int = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        return max(0, wider)

    def brightness(self) -> float:
        """Of the background, 0 to 255."""
        color = self.page.evaluate("getComputedStyle(document.body).backgroundColor")
        red, green, blue = (int(part) for part in color.strip("rgb()").split(","))
        return (red + green + blue) / 3
