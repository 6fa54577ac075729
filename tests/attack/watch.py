"""What others see of a hub while somebody attacks it."""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field

import httpx

from tests.attack.attacker import Insider
from tests.conftest import artifact

PACE = 0.1
# Seconds after which nothing will come any more: how long it took is a figure.
PATIENCE = 30.0
# An attack may be over before anybody asked.
LEAST = 3


@dataclass
class Seen:
    """What a polling client saw during one attack.

    Attributes:
        failed: Answers that were not 200, and why.
        hub: Seconds of each answer of /hub/health.
        neighbour: Seconds of each answer of somebody else's notebook server.
    """

    failed: list[str] = field(default_factory=list)
    hub: list[float] = field(default_factory=list)
    neighbour: list[float] = field(default_factory=list)

    @property
    def p95(self) -> float:
        """Seconds within which 95 of 100 answers of the hub came."""
        return percentile(self.hub)


def percentile(times: list[float]) -> float:
    """Return the 95th percentile, NaN for too few values."""
    return statistics.quantiles(times, n=20)[-1] if len(times) > 1 else float("nan")


class Watch:
    """Polls the hub and a neighbour's server all the while; both must go on answering.

    `with Watch(neighbour, "fork bomb"):` fails at its end if one of them did not.

    Attributes:
        seen: What it saw so far.
    """

    def __init__(self, neighbour: Insider, attack: str) -> None:
        self.neighbour = neighbour
        self.attack = attack
        self.seen = Seen()
        self._ended = threading.Event()
        status = f"{neighbour.path}/api/status"
        # Made before the attack begins: a token costs a request.
        headers = {"Authorization": f"token {neighbour.token}"}
        asked = [("/hub/health", {}, self.seen.hub), (status, headers, self.seen.neighbour)]
        # Of each held while it asks, and while it is to ask nothing.
        self._locks = [threading.Lock() for _ in asked]
        self._threads = [
            threading.Thread(target=self._poll, args=(lock, *what), daemon=True)
            for lock, what in zip(self._locks, asked, strict=True)
        ]

    def _poll(self, lock: threading.Lock, path: str, headers: dict[str, str], times: list[float]) -> None:
        with httpx.Client(base_url=self.neighbour.url, headers=headers, timeout=PATIENCE, trust_env=False) as http:
            while not self._ended.wait(PACE):
                with lock:
                    self._ask(http, path, times)

    def _ask(self, http: httpx.Client, path: str, times: list[float]) -> None:
        begun = time.monotonic()
        try:
            answer = http.get(path)
        except httpx.HTTPError as error:
            self.seen.failed.append(f"{path}: {error!r}")
        else:
            times.append(time.monotonic() - begun)
            if answer.status_code != 200:
                self.seen.failed.append(f"{path}: {answer.status_code}")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Ask nothing for a while: the hub is replaced."""
        with ExitStack() as stack:
            for lock in self._locks:
                stack.enter_context(lock)
            yield

    def __enter__(self) -> Watch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        end = time.monotonic() + PATIENCE
        while not self._asked_enough and time.monotonic() < end:
            time.sleep(PACE)
        self._ended.set()
        for thread in self._threads:
            thread.join()
        keep(self.attack, self.seen)
        if kind is None:
            assert not self.seen.failed, self.seen.failed[:5]
            assert self._asked_enough, "the hub and the neighbour's server were hardly asked"

    @property
    def _asked_enough(self) -> bool:
        return bool(self.seen.failed) or min(len(self.seen.hub), len(self.seen.neighbour)) >= LEAST


def keep(attack: str, seen: Seen) -> None:
    """Write what was seen to artifacts/attack/health.json, for docs/figures.md."""
    file = artifact("attack") / "health.json"
    file.parent.mkdir(exist_ok=True)
    told = json.loads(file.read_text()) if file.exists() else {}
    told[attack] = {
        "answers": {name: len(times) for name, times in asdict(seen).items() if name != "failed"},
        "failed": len(seen.failed),
        "hub_p95_seconds": round(seen.p95, 4),
        "neighbour_p95_seconds": round(percentile(seen.neighbour), 4),
    }
    file.write_text(json.dumps(told, indent=2) + "\n")
