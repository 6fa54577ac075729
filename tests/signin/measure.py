"""Figures of signing in: `nox -s signin -- tests/signin/measure.py -s -k measure` prints them; no time is asserted."""

from __future__ import annotations

import asyncio
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.signin.conftest import Arrive
from tests.signin.hubsite import Site
from tests.signin.visitor import Visitor

LOGINS, AT_ONCE, SLOW = 40, 200, 2.0
ADMIN = "exempt@example.org"


def callback_time(visitor: Visitor) -> float:
    """Sign in; return how many seconds the hub took from the provider's redirect to its own."""
    address = visitor.consent(visitor.begin())
    began = time.perf_counter()
    answer = visitor.open(address)
    taken = time.perf_counter() - began
    assert answer.status_code == 302, answer.text
    return taken


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


# All come from one address: what the hub takes of one would be measured otherwise.
@pytest.mark.settings(ADMIN_USERS=ADMIN, APPROVAL_EXEMPT_ADMINS="1", LOGINS_PER_MINUTE="0")
def test_what_the_look_up_adds_to_a_login(site: Site, arrive: Arrive) -> None:
    asked, exempt = arrive("asked"), arrive("exempt", approved=False, email=ADMIN)
    times: dict[str, list[float]] = {"asked": [], "exempt": []}
    for _ in range(LOGINS):
        times["asked"].append(callback_time(asked))
        times["exempt"].append(callback_time(exempt))
    medians = {name: statistics.median(values) * 1000 for name, values in times.items()}
    assert site.daco.asked(asked.name)
    assert not site.daco.asked(ADMIN)
    print(f"\nlogin with the look-up {medians['asked']:.1f} ms, without {medians['exempt']:.1f} ms (n={LOGINS} each)")


async def health(url: str, seconds: float, until: asyncio.Event | None = None) -> list[float]:
    """Ask for /hub/health again and again; return how many seconds each answer took."""
    times: list[float] = []
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not (until and until.is_set()):
            began = time.perf_counter()
            assert (await client.get(f"{url}/hub/health")).status_code == 200
            times.append(time.perf_counter() - began)
            await asyncio.sleep(0.02)
    return times


@pytest.mark.settings(LOGINS_PER_MINUTE="0")
def test_many_logins_while_daco_is_slow(site: Site, arrive: Arrive) -> None:
    visitors = [arrive(f"many{number}") for number in range(AT_ONCE)]
    with ThreadPoolExecutor(8) as pool:
        addresses = list(pool.map(lambda visitor: visitor.consent(visitor.begin()), visitors))
    cookies = [dict(visitor.http.cookies) for visitor in visitors]

    async def run() -> tuple[list[float], list[float], float]:
        before = await health(site.url, 5)
        done = asyncio.Event()

        async def log_in(client: httpx.AsyncClient, address: str, jar: dict[str, str]) -> None:
            head = "; ".join(f"{name}={value}" for name, value in jar.items())
            answer = await client.get(address, headers={"Cookie": head})
            assert answer.status_code == 302, answer.text

        watching = asyncio.create_task(health(site.url, 120, done))
        began = time.monotonic()
        limits = httpx.Limits(max_connections=AT_ONCE)
        async with httpx.AsyncClient(timeout=120, trust_env=False, limits=limits) as client:
            pairs = zip(addresses, cookies, strict=True)
            await asyncio.gather(*(log_in(client, address, jar) for address, jar in pairs))
        taken = time.monotonic() - began
        done.set()
        return before, await watching, taken

    with site.daco.behaving("slow", seconds=SLOW):
        before, during, taken = asyncio.run(run())
    print(
        f"\n{AT_ONCE} logins at once, DACO answers after {SLOW:g} s: all in after {taken:.1f} s; /hub/health p95 "
        f"{p95(before) * 1000:.1f} ms before (n={len(before)}), {p95(during) * 1000:.1f} ms during (n={len(during)})"
    )
