"""Figures of the look: what the sign-in page costs."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Page

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
