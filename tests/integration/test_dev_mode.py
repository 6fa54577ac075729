"""What DEV_MODE loosens: compose's own reading of its files, with and without it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from infra import compose, images
from infra.settings import Settings
from tests.conftest import Stack

LIVE = {
    "/srv/jupyterhub/www_custom": False,
    "/srv/jupyterhub/notebook_templates": True,
    # A real hub has it as well, and may only read it.
    "/srv/jupyterhub/share": False,
}
"""Folders of the tree in a hub of DEV_MODE, and whether it may only read them."""


def resolved(settings: Settings, *, dev_mode: bool) -> dict[str, Any]:
    """Return what compose makes of its files."""
    chosen = replace(settings, dev_mode=dev_mode)
    read = compose.run(chosen, images.tags(settings), "config", "--format=json", what="It could not be read.")
    return dict(json.loads(read))


def test_it_loosens_hub_and_guard_and_nothing_else_of_them_than_is_listed(service: Stack) -> None:
    strict, loose = (resolved(service.settings, dev_mode=dev_mode) for dev_mode in (False, True))
    hubs = [found["services"].pop("hub") for found in (strict, loose)]
    guards = [found["services"].pop("guard") for found in (strict, loose)]
    assert strict == loose, "only the containers of hub and guard"
    for guard, live in zip(guards, ({}, {"LIVE_NOTEBOOKS": "1"}), strict=True):
        assert guard["environment"].pop("LIVE_NOTEBOOKS", None) == live.get("LIVE_NOTEBOOKS")
    assert guards[0] == guards[1]
    hub, dev = hubs
    assert {key for key in {*hub, *dev} if hub.get(key) != dev.get(key)} == {
        "environment",
        "read_only",
        "cap_add",
        "volumes",
    }
    assert hub["environment"] | {"DEV_MODE": "1"} == dev["environment"]
    assert (hub["read_only"], dev.get("read_only", False)) == (True, False)
    assert ("cap_add" in hub, dev["cap_add"]) == (False, ["CHOWN", "DAC_OVERRIDE", "FOWNER"])
    more = [item for item in dev["volumes"] if item not in hub["volumes"]]
    assert {item["target"]: item.get("read_only", False) for item in more} == LIVE
    assert {item["target"] for item in hub["volumes"] if item not in dev["volumes"]} == {"/srv/jupyterhub/share"}
