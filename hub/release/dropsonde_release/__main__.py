"""What `invoke release.activate` runs in containers of the release's hub image.

python -m dropsonde_release probe [STEP ...]   walk through the throw-away service; one JSON object a step
python -m dropsonde_release backup             the databases as a tar archive on stdout
python -m dropsonde_release rehearse           from stdin such an archive; "changed" or "same"
python -m dropsonde_release restore            put the archive on stdin in the databases' place
python -m dropsonde_release undo-migration     put the archive's database back if a hub has migrated it since
python -m dropsonde_release audit KEY=VALUE .. one line for the audit log
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

from . import database

# Libraries that take a second to import are imported where they are needed: each command is a process of its own.
PROXY = "http://proxy:8000"
STEPS = (
    ("hub API", "api"),
    ("login page", "login_page"),
    ("notebook server", "server"),
    ("one cell", "cell"),
    ("stop of the server", "stop"),
)


async def walk(names: list[str]) -> int:
    """Do the probe's steps with these names, or all; return the exit code."""
    from .exemption import TOKEN
    from .steps import Probe, ProbeError

    probe = Probe(PROXY, TOKEN.read_text().strip())
    for name, method in STEPS:
        if names and method not in names:
            continue
        began = time.monotonic()
        try:
            seen, ok = await getattr(probe, method)(), True
        except (ProbeError, TimeoutError, KeyError, ValueError) as error:
            seen, ok = str(error) or type(error).__name__, False
        told = {"step": name, "ok": ok, "seen": seen, "seconds": round(time.monotonic() - began, 2)}
        print(json.dumps(told), flush=True)
        if not ok:
            return 1
    return 0


def main(arguments: list[str]) -> int:
    """Run one command; return the exit code."""
    command, *rest = arguments
    os.umask(0o077)
    if command == "probe":
        return asyncio.run(walk(rest))
    if command == "backup":
        database.backup(sys.stdout.buffer)
    elif command == "rehearse":
        # The migration is a program of its own, whose output is not the answer.
        answer = os.dup(1)
        os.dup2(2, 1)
        os.write(answer, b"changed\n" if database.rehearse(sys.stdin.buffer) else b"same\n")
    elif command == "restore":
        database.restore(sys.stdin.buffer)
    elif command == "undo-migration":
        database.undo_migration(sys.stdin.buffer)
    elif command == "audit":
        from dropsonde_auth.audit import AuditLog

        facts = dict(item.split("=", 1) for item in rest)
        AuditLog(database.DATA / "audit").write(facts.pop("event"), None, **facts)
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
