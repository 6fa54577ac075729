"""Figures of the look: what the sign-in page costs, and how soon an edit shows.

`python -m tests.look.measure` prints them for the DEV_MODE hub of this folder that runs.
"""

from __future__ import annotations

import json
import statistics
import time
from dataclasses import dataclass

from playwright.sync_api import Page, sync_playwright

from infra import browser, settings
from infra.settings import ROOT

SHIFTS = """
window.shift = 0;
new PerformanceObserver((list) => { for (const entry of list.getEntries()) window.shift += entry.value; })
  .observe({ type: "layout-shift", buffered: true });
"""


@dataclass(frozen=True)
class Loaded:
    """What one look at a page cost.

    Attributes:
        bytes: What came over the wire, heads included.
        requests: How many there were.
        shift: Cumulative layout shift (https://web.dev/articles/cls).
    """

    bytes: int
    requests: int
    shift: float


def login_page(page: Page, hub: str) -> Loaded:
    """Load the sign-in page in a browser without a cache."""
    sizes: list[float] = []
    session = page.context.new_cdp_session(page)
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    session.send("Network.enable")
    page.add_init_script(SHIFTS)
    page.goto(f"{hub}/hub/login")
    # Everything, the picture of the tab too, has come when the page has been quiet for this long.
    page.wait_for_timeout(1000)
    # Pictures that are part of the style sheet are counted with it, and come without bytes of their own.
    fetched = [size for size in sizes if size]
    return Loaded(round(sum(fetched)), len(fetched), page.evaluate("window.shift"))


def edits(page: Page, hub: str, times: int = 10) -> list[float]:
    """Edit the sign-in page so many times; return the seconds until an open page shows each edit."""
    file = ROOT / "www_custom/hub/templates/login.html"
    former = file.read_text()
    page.goto(f"{hub}/hub/login")
    found = []
    try:
        for number in range(times):
            page.wait_for_timeout(500)
            began = time.monotonic()
            file.write_text(former.replace("{{ super() }}", f"<p>Edit {number}</p>\n{{{{ super() }}}}", 1))
            page.get_by_text(f"Edit {number}", exact=True).wait_for()
            found.append(time.monotonic() - began)
    finally:
        file.write_text(former)
    return found


def main() -> None:
    """Measure, and print as JSON."""
    configured = settings.load()
    with sync_playwright() as playwright:
        path = browser.find(configured.browser)
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        loaded = login_page(chromium.new_page(), configured.url)
        waited = edits(chromium.new_page(), configured.url)
    report = {
        "login page: bytes": loaded.bytes,
        "login page: requests": loaded.requests,
        "login page: layout shift": loaded.shift,
        "edit to visible: median, s": round(statistics.median(waited), 2),
        "edit to visible: slowest, s": round(max(waited), 2),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
