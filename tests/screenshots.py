"""The pictures of the documentation, taken from the demo: python -m tests.screenshots docs/images."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, expect

from tests.acceptance.test_demo import demo
from tests.services.browser import chromium

QUERY = (
    "SELECT platform, count() AS donations, sum(amount) AS raised FROM donations GROUP BY platform ORDER BY raised DESC"
)


@dataclass(frozen=True)
class Picture:
    """One picture: its name, what it shows, and when that is there."""

    name: str
    path: str
    shows: str
    look: Literal["light", "dark"] = "light"
    width: int = 1280
    height: int = 800


PICTURES = (
    Picture("light", "/dashboards/fundraiser", "still open"),
    Picture("dark", "/dashboards/fundraiser", "still open", look="dark"),
    Picture("phone", "/dashboards/fundraiser", "still open", width=380, height=820),
    Picture("wall", "/dashboards/fundraiser?wall", "still open", look="dark", width=1920, height=1080),
    Picture("search", "/search/images?q=lighthuose", "lighthouse"),
    Picture("sql", "/sql?query=" + QUERY.replace(" ", "%20").replace(",", "%2C"), "Facebook", look="dark"),
)


def main() -> None:
    """Take all pictures."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, demo(Path(data), "--port", "0") as running, chromium() as browser:
        running.await_address()
        for picture in PICTURES:
            take(browser, running.address, picture, folder)


def take(browser: Browser, address: str, picture: Picture, folder: Path) -> None:
    """Take one picture once it shows what it should, and something has arrived since."""
    page = browser.new_page(
        viewport={"width": picture.width, "height": picture.height},
        color_scheme=picture.look,
        reduced_motion="reduce",  # a number that counts up is between two truths
        locale="en-US",
        device_scale_factor=1 if picture.width > PICTURES[0].width else 2,
    )
    page.goto(address + picture.path)
    if picture.path.startswith("/sql"):
        page.get_by_role("button", name="Run").click()
    if "dashboards" in picture.path:
        expect(page.get_by_role("group", name=picture.shows)).to_be_visible()
        expect(page.get_by_role("region").first).to_contain_text("now", timeout=60_000)
    else:
        expect(page.get_by_role("main")).to_contain_text(picture.shows)
    page.screenshot(path=folder / f"{picture.name}.png")
    page.close()


if __name__ == "__main__":
    main()
