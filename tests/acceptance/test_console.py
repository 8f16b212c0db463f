"""The console in a real browser, over the demo: what moves, what answers, who can use it, and what it may not do."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.test_demo import Demo, demo
from tests.donations import create_table, put
from tests.services.browser import chromium
from tests.services.dynamodb_local import DynamoDBLocal
from tests.services.missing import skip_or_fail
from tests.up import DONATION_METRICS, Up

ROOT = Path(__file__).parents[2]
AXE = ROOT / "ui" / "node_modules" / "axe-core" / "axe.min.js"
ASSETS = ROOT / "src" / "dynalens" / "console" / "assets"

Look = Literal["light", "dark"]
Visit = Callable[..., AbstractContextManager[Page]]

PAGES = (
    "/",
    "/dashboards/fundraiser",
    "/dashboards/fundraiser?wall",
    "/dashboards/operations",
    "/search/images?q=lighthuose",
    "/sql?query=SELECT%20platform%2C%20count()%20FROM%20donations%20GROUP%20BY%20platform",
    "/search",
    "/dashboards/nowhere",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=30_000)  # a busy machine is no mistake of the page
    with skip_or_fail(), chromium() as running:
        yield running


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo(tmp_path_factory.mktemp("shown"), "--port", "0") as running:
        running.await_address()
        yield running


@pytest.fixture
def visit(browser: Browser) -> Visit:
    """Open a page; at the end see that it said nothing on its console and asked nobody else for anything."""

    @contextmanager
    def visited(  # noqa: PLR0913 - what a browser may be set to
        url: str,
        *,
        width: int = 1280,
        height: int = 860,
        look: Look = "light",
        still: bool = False,
        reported: str = "nothing",
    ) -> Iterator[Page]:
        said: list[str] = []
        outside: list[str] = []
        origin = "/".join(url.split("/", 3)[:3])
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=look,
            reduced_motion="reduce" if still else "no-preference",
            locale="en-US",
        )
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith(origin) else outside.append(request.url))
        page.goto(url)
        try:
            yield page
        finally:
            context.close()
        # The browser itself reports each request that fails, whatever the page makes of it.
        assert [text for text in said if reported not in text] == []
        assert [url for url in outside if not url.startswith(("data:", "blob:"))] == []

    return visited


def panel(page: Page, title: str) -> Any:  # noqa: ANN401 - a locator
    return page.get_by_role("region", name=title, exact=True)


def raised(page: Page) -> str:
    """The amount that the fundraiser's first panel shows, once there is one."""
    expect(panel(page, "Raised tonight")).to_contain_text("€")
    return amounts(panel(page, "Raised tonight").inner_text())[0]


def amounts(text: str) -> list[str]:
    return re.findall(r"€[\d,]+\.\d\d", text)


# The fundraiser.


def test_the_chart_moves_within_a_minute_of_the_command(
    shown: Demo, visit: Visit, record_property: Callable[[str, object], None]
) -> None:
    with visit(f"{shown.address}/dashboards/fundraiser") as page:
        chart = panel(page, "Raised per minute").get_by_role("group")
        expect(chart).to_have_accessible_name(re.compile("still open, has €"))
        before = chart.get_attribute("aria-label")
        total = raised(page)
        expect(chart).not_to_have_accessible_name(before or "", timeout=60_000)
        record_property("measured", f"dynalens demo: {time.monotonic() - shown.began_at:.1f} s to a moving chart")
        expect(panel(page, "Raised tonight")).not_to_contain_text(total)


def test_every_figure_of_the_page_is_the_one_that_the_api_gives(shown: Demo, visit: Visit) -> None:
    with visit(f"{shown.address}/dashboards/fundraiser") as page:

        def agree() -> bool:
            metric = shown.get("/api/v1/collections/donations/metrics/by_platform")
            bars = {group["group"]["platform"]: group["values"]["amount_sum"] for group in metric["groups"]}
            listed = panel(page, "Raised per platform").get_by_role("listitem").all_inner_texts()
            seen = {text.split("€")[0].strip(): amount(text) for text in listed}
            return seen == bars and amount(raised(page)) == metric["total"]["amount_sum"]

        expect(panel(page, "Raised per platform").get_by_role("listitem").first).to_be_visible()
        assert within(page, agree), "data moves, so both are read again until they were read at the same moment"


def amount(text: str) -> float:
    [shown_amount] = amounts(text)
    return float(shown_amount[1:].replace(",", ""))


def within(page: Page, condition: Callable[[], bool], *, seconds: float = 60.0) -> bool:
    """Look again and again, letting the page work in between."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        page.wait_for_timeout(50)
    return False


def test_arrivals_come_first_and_the_list_keeps_its_length(shown: Demo, visit: Visit) -> None:
    with visit(f"{shown.address}/dashboards/fundraiser") as page:
        rows = panel(page, "Latest donations").locator("tbody tr")
        expect(rows).to_have_count(10)
        first = rows.first.inner_text().split("\t")[0]
        expect(rows.first).not_to_contain_text(first, timeout=60_000)
        assert within(page, lambda: rows.count() == 10)


def test_a_panel_says_how_fresh_it_is(shown: Demo, visit: Visit) -> None:
    with visit(f"{shown.address}/dashboards/fundraiser") as page:
        for title in ("Raised tonight", "Raised per platform", "Raised per minute", "Latest donations"):
            expect(panel(page, title)).to_contain_text(re.compile(r"\d+(\.\d)? m?s ago"))


def test_the_stream_comes_back_after_the_server_did(
    visit: Visit, dynamodb_local: DynamoDBLocal, tmp_path: Path, unused_table: str
) -> None:
    client = dynamodb_local.client("dynamodb")
    create_table(client, unused_table)
    put(client, unused_table, 1, amount="10")
    up = Up(
        tmp_path,
        {
            "source": {"endpoint_url": dynamodb_local.endpoint_url, "region": "eu-west-1"},
            "collections": {"donations": {"table": unused_table, "metrics": DONATION_METRICS}},
        },
    )
    try:
        up.start()
        address = str(up.client.base_url).rstrip("/")
        # The same address again, as a server of one's own has it.
        up.file.write_text(up.file.read_text().replace("port: 0", f"port: {address.rpartition(':')[2]}"))
        with visit(f"{address}/dashboards/donations", reported="net::ERR_") as page:
            total = panel(page, "by_platform: amount_sum")
            expect(total).to_contain_text("10")
            expect(total).to_contain_text(re.compile("ago|Live"))
            up.kill()
            expect(total).to_contain_text(re.compile("Reconnecting|Disconnected"), timeout=30_000)
            expect(total).to_contain_text("10")  # old figures stay
            put(client, unused_table, 2, amount="32")
            up.start()
            expect(total).to_contain_text("42", timeout=60_000)
            expect(total).not_to_contain_text(re.compile("Reconnecting|Disconnected"), timeout=30_000)
    finally:
        up.stop()
        client.delete_table(TableName=unused_table)


@pytest.fixture
def unused_table() -> str:
    return f"restarted-{time.time_ns()}"


# Search.


def test_a_typo_finds_is_highlighted_and_narrowed_by_a_facet(shown: Demo, visit: Visit) -> None:
    with visit(f"{shown.address}/search/donations") as page:
        expect(page.get_by_role("searchbox")).to_be_visible()
        page.keyboard.press("/")
        page.keyboard.type("facebok")
        hits = page.get_by_role("region", name="Hits")
        expect(hits.locator("mark").first).to_have_text(re.compile("Facebook", re.IGNORECASE))
        expect(page).to_have_url(re.compile(r"/search/donations\?q=facebok"))
        page.get_by_role("searchbox").fill("")
        facet = page.get_by_role("button", name=re.compile(r"^Phone")).first
        facet.click()
        expect(page).to_have_url(re.compile(r"filter=platform"))
        expect(facet).to_have_attribute("aria-pressed", "true")
        expect(hits.get_by_role("listitem").first).to_contain_text("Phone")
        page.go_back()
        expect(page).not_to_have_url(re.compile(r"filter=platform"))
        page.keyboard.press("/")
        page.keyboard.press("Escape")
        expect(page.get_by_role("searchbox")).to_have_value("")


def test_a_search_without_hits_says_what_to_do(shown: Demo, visit: Visit) -> None:
    with visit(f"{shown.address}/search/donations?q=xyzzyplugh") as page:
        expect(page.get_by_role("region", name="Hits")).to_contain_text("Nothing in donations matches")


# SQL.


def test_a_query_runs_by_keyboard_and_its_result_is_exact(shown: Demo, visit: Visit) -> None:
    with visit(f"{shown.address}/sql") as page:
        editor = page.get_by_role("textbox", name="SQL query")
        editor.click()
        page.keyboard.insert_text(
            "SELECT toDecimal128('12345678901234567890.123456789', 9) AS exact, NULL AS nothing, '' AS empty"
        )
        page.keyboard.press("Control+Enter")
        row = page.get_by_role("grid").get_by_role("row").nth(1)
        expect(row).to_contain_text("12345678901234567890.123456789")
        expect(row.get_by_role("gridcell").nth(1)).to_have_text("NULL")
        expect(row.get_by_role("gridcell").nth(2)).not_to_have_text("NULL")
        expect(page).to_have_url(re.compile(r"query=SELECT"))


def test_an_error_says_what_and_where(shown: Demo, visit: Visit) -> None:
    with visit(f"{shown.address}/sql", reported="status of 400") as page:
        page.get_by_role("textbox", name="SQL query").click()
        page.keyboard.insert_text("SELECT platform\nFORM donations GROUP platform")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("alert").first).to_be_visible()
        expect(page.locator(".cm-lintRange-error, .cm-error, [data-error]").first).to_be_visible()


# For everybody.


@pytest.mark.parametrize("look", ["light", "dark"])
def test_axe_finds_nothing_wrong(look: Look, shown: Demo, visit: Visit) -> None:
    found = {}
    for path in PAGES:
        with visit(f"{shown.address}{path}", look=look, reported="status of 404") as page:
            page.get_by_role("main").wait_for()
            page.wait_for_load_state()
            expect(page.get_by_role("heading", level=1).first).to_be_attached()
            found[path] = violations(page)
    assert {path: rules for path, rules in found.items() if rules} == {}


def violations(page: Page) -> list[str]:
    """What axe-core finds, by rule and place."""
    page.evaluate(AXE.read_text() + ";0")
    result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{rule['id']}: {node['html'][:200]}" for rule in result["violations"] for node in rule["nodes"]]


def test_everything_is_reached_by_keyboard_alone(shown: Demo, visit: Visit) -> None:
    with visit(f"{shown.address}/dashboards/fundraiser") as page:
        expect(panel(page, "Raised tonight")).to_contain_text("€")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        button = panel(page, "Raised per platform").get_by_role("button", name="Show as a table")
        for _ in range(40):
            page.keyboard.press("Tab")
            if button.evaluate("node => node === document.activeElement"):
                break
        expect(button).to_be_focused()
        assert button.evaluate("node => getComputedStyle(node).outlineStyle") != "none", "the focus can be seen"
        page.keyboard.press("Enter")
        expect(panel(page, "Raised per platform").get_by_role("table")).to_contain_text("Website")
        page.keyboard.press("t")
        expect(panel(page, "Raised per platform").get_by_role("table")).to_have_count(0)


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_shows_one_column_and_nothing_beside_it(path: str, shown: Demo, visit: Visit) -> None:
    with visit(f"{shown.address}{path}", width=380, height=800, reported="status of 404") as page:
        expect(page.get_by_role("heading", level=1).first).to_be_attached()
        page.wait_for_load_state("load")
        assert within(page, lambda: page.evaluate("document.documentElement.scrollWidth") <= 380)


def test_nothing_moves_for_those_who_asked_for_that(shown: Demo, visit: Visit) -> None:
    moving = "document.getAnimations().filter(each => each.effect.getTiming().duration > 1).length"
    with visit(f"{shown.address}/dashboards/fundraiser", still=True) as page:
        expect(panel(page, "Raised tonight")).to_contain_text("€")
        total = raised(page)
        seen = []

        def changed() -> bool:
            seen.append(page.evaluate(moving))
            return raised(page) != total

        assert within(page, changed)
        assert set(seen) == {0}


def test_the_look_that_was_chosen_stays(shown: Demo, visit: Visit) -> None:
    with visit(f"{shown.address}/") as page:
        background = "getComputedStyle(document.documentElement).backgroundColor"
        before = page.evaluate(background)
        page.get_by_role("radio", name="Dark").check(force=True)
        assert within(page, lambda: page.evaluate(background) != before)
        after = page.evaluate(background)
        page.reload()
        page.get_by_role("main").wait_for()
        assert page.evaluate(background) == after


def test_the_wall_has_no_chrome_and_figures_to_be_read_from_afar(shown: Demo, visit: Visit) -> None:
    with visit(f"{shown.address}/dashboards/fundraiser?wall", width=1920, height=1080) as page:
        expect(panel(page, "Raised tonight")).to_contain_text("€")
        expect(page.get_by_role("navigation")).to_have_count(0)
        figure = panel(page, "Raised tonight").get_by_text(re.compile("^€")).first
        assert figure.evaluate("node => parseFloat(getComputedStyle(node).fontSize)") > 100
        assert page.evaluate("document.documentElement.scrollHeight") <= 1080


def test_the_size_of_what_a_viewer_loads_is_told(record_property: Callable[[str, object], None]) -> None:
    sizes = {path.name: path.stat().st_size for path in ASSETS.iterdir()}
    assert sizes, "make console"
    biggest = ", ".join(
        f"{name} {size / 1024:,.0f} KiB" for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:3]
    )
    record_property("measured", f"console: {sum(sizes.values()) / 1024:,.0f} KiB in {len(sizes)} files; {biggest}")
