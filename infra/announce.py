"""Announcements: one text on every page of the hub, from the next request on."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import docker

from infra import console, health, process
from infra.errors import UsageError
from infra.settings import Settings

LONGEST = 500
SPANS = {"m": "minutes", "min": "minutes", "h": "hours", "d": "days"}
EXAMPLES = 'Write --until "18:00", "2026-11-30 18:00" or a span such as 30min, 2h or 3d.'
PROGRAM = ("python3", "-m", "dropsonde_look.announcement")


def parse_until(text: str, now: datetime) -> datetime:
    """Return the moment that a reader means, as this machine's clock has it.

    Args:
        text: `18:00` (today), `2026-11-30 18:00`, `2026-11-30` (the end of that day), or a span such as `2h`.
        now: The present.

    Raises:
        UsageError: It cannot be read, or has passed.
    """
    wanted = text.strip()
    span = re.fullmatch(r"(\d{1,4})\s*(m|min|h|d)", wanted)
    if span:
        found = (now + timedelta(**{SPANS[span[2]]: int(span[1])})).astimezone()
    else:
        found = _clock(wanted, f"{now.astimezone():%Y-%m-%d}")
    if found <= now:
        seen = f"It is {shown(now.astimezone())} on this machine."
        raise UsageError(f"--until {text} has passed.", seen=seen, next_step="Say the date as well.")
    return found


def _clock(wanted: str, today: str) -> datetime:
    """Return a moment of this machine's clock, which may have another offset by then."""
    forms = {"%H:%M": f"{today} ", "%Y-%m-%d %H:%M": "", "%Y-%m-%dT%H:%M": ""}
    for form, day in forms.items():
        with suppress(ValueError):
            return datetime.strptime(day + wanted, form if not day else f"%Y-%m-%d {form}").astimezone()
    try:
        return (datetime.strptime(wanted, "%Y-%m-%d") + timedelta(days=1)).astimezone()
    except (ValueError, OverflowError) as error:
        raise UsageError(f"--until {wanted or '(nothing)'} is no time.", next_step=EXAMPLES) from error


def shown(moment: datetime) -> str:
    """Return a moment as its reader's clock shows it, with the zone."""
    return f"{moment:%Y-%m-%d %H:%M} {moment.tzname()}"


def record(text: str, until: str, now: datetime) -> dict[str, Any]:
    """Return an announcement as the hub reads it.

    Raises:
        UsageError: The text cannot be shown, or the time cannot be read.
    """
    if not text.strip().isprintable() or len(text) > LONGEST:
        raise UsageError(
            "This text cannot be announced.",
            seen=f"{len(text)} characters",
            next_step=f"Write one line of at most {LONGEST} characters.",
        )
    moment = parse_until(until, now) if until else None
    return {
        "text": text.strip(),
        "until": moment.astimezone(UTC).isoformat() if moment else None,
        "until_text": shown(moment) if moment else "",
    }


def _hub(client: docker.DockerClient, settings: Settings, *arguments: str, text_in: str = "") -> Any:
    hub = health.hub_container(client, settings)["Id"]
    command = ["docker", "exec", "--interactive", hub, *PROGRAM, *arguments]
    return json.loads(process.run(command, what="The hub did not take the announcement.", text_in=text_in))


def announce(client: docker.DockerClient, settings: Settings, text: str, until: str) -> dict[str, Any]:
    """Show a text on every page from now on, instead of the last one.

    Raises:
        DropsondeError: It cannot be shown, or no hub is running.
    """
    announced = record(text, until, datetime.now().astimezone())
    found: dict[str, Any] = _hub(client, settings, text_in=json.dumps(announced))
    return found


def clear(client: docker.DockerClient, settings: Settings) -> bool:
    """Show nothing any more; return whether something was shown."""
    before = present(client, settings)
    _hub(client, settings, text_in="null")
    return before is not None


def present(client: docker.DockerClient, settings: Settings) -> dict[str, Any] | None:
    """Return what is shown now, None for nothing."""
    found: dict[str, Any] | None = _hub(client, settings, "show")
    return found


def show(found: dict[str, Any] | None, *, as_json: bool) -> None:
    """Print what is shown now."""
    if as_json:
        console.as_json(found or {})
    elif found is None:
        console.result("Nothing is announced.")
    else:
        until = f", until {found['until_text']}" if found["until_text"] else ", until it is cleared"
        console.result(f"Announced: {found['text']}{until}")


def require_sense(*, text: str, until: str, clear: bool) -> None:
    """Refuse options that contradict each other.

    Raises:
        UsageError: Says which.
    """
    if clear and (text or until):
        raise UsageError(
            "--clear takes the announcement away; there is nothing to announce then.", next_step="Choose one."
        )
    if until and not text:
        raise UsageError("--until belongs to a text.", next_step='invoke announce "Maintenance at 18:00" --until 18:00')
