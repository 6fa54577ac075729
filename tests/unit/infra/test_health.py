"""What a container said last."""

from __future__ import annotations

from typing import Any

import docker

from infra import health

STARTED_AGAIN = "2026-11-29T20:20:46.448123456Z"


class Engine:
    """Has a log of which each line has its second, and cuts it as the engine does: first the end, then the time."""

    def __init__(self, seconds: list[float]) -> None:
        self.api = self
        self._seconds = seconds

    def logs(self, container: str, tail: int, until: float = float("inf")) -> bytes:
        """Return lines, each its second."""
        assert container == "hub"
        return "".join(f"{second}\n" for second in self._seconds[-tail:] if second <= until).encode()


def last_lines(seconds: list[float], **options: Any) -> list[str]:
    engine: Any = Engine(seconds)
    client: docker.DockerClient = engine
    return health.last_lines(client, "hub", **options).splitlines()


def test_the_last_lines() -> None:
    assert last_lines([1.0, 2.0, 3.0], lines=2) == ["2.0", "3.0"]


def test_those_before_it_was_started_again_however_much_it_has_said_since() -> None:
    moment = 1795983646.448123
    since = [moment + number for number in range(1, 100)]
    assert last_lines([1.0, 2.0, 3.0, *since], lines=2, before=STARTED_AGAIN) == ["2.0", "3.0"]
    assert last_lines(since, before=STARTED_AGAIN) == []
