"""What each layer says of itself, read back from the running containers."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.attack.attacker import HijackedHub, Insider
from tests.attack.watch import Watch

ATTACK = "tools of root"
pytestmark = pytest.mark.usefixtures("others")


def status(of: Insider) -> dict[str, str]:
    """Return /proc/self/status of a process in the container."""
    return dict(re.findall(r"^(\w+):\s*(.*)$", of.run("cat /proc/self/status").output, re.MULTILINE))


def test_a_notebooks_processes_have_no_privileges(alice: Insider) -> None:
    found = status(alice)
    assert set(found["Uid"].split()) == {"1000"}
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(found[kind], 16) == 0, kind
    assert found["NoNewPrivs"] == "1"
    assert found["Seccomp"] == "2"


def test_nothing_in_a_notebook_makes_root(alice: Insider) -> None:
    assert alice.run("command -v sudo doas pkexec").code != 0
    # `su` and the like are in Debian's base; with no new privileges their bit does nothing.
    assert alice.run("echo | su -c id root").code != 0
    assert alice.run("unshare --user --map-root-user --mount true").code != 0


def test_the_shared_libraries_cannot_be_changed(alice: Insider) -> None:
    for target in ("/opt", "/opt/python", "/usr", "/etc"):
        assert alice.run(f"touch {target}/.x 2>&1").code != 0, target


def test_a_hijacked_hub_has_no_privileges_either(hub: HijackedHub) -> None:
    found = hub.python("print(open('/proc/self/status').read())").output
    assert re.search(r"^Uid:\s*1000\s", found, re.MULTILINE)
    assert re.search(r"^CapEff:\s*0+$", found, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s*1$", found, re.MULTILINE)
    assert hub.python("open('/usr/x', 'w')").code != 0


def test_two_people_work_while_one_of_them_computes(alice: Insider, watch: Callable[[str], Watch]) -> None:
    with watch("all processors busy"):
        alice.run("timeout 5 sh -c 'while :; do :; done & while :; do :; done & while :; do :; done & wait'")
