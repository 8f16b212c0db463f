"""A headless Chromium: the one on PATH, or the one that Playwright has installed for itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Error, sync_playwright

from tests.services.missing import ServiceMissingError

NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser until the block ends.

    Raises:
        ServiceMissingError: There is none.
    """
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
        try:
            # Its sandbox needs privileges that containers and root do not have; it visits our own server only.
            browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        except Error as error:
            if executable is not None:
                raise
            install = "apt-get install chromium, or: .venv/bin/playwright install chromium"
            raise ServiceMissingError("Chromium", install=install) from error
        try:
            yield browser
        finally:
            browser.close()
