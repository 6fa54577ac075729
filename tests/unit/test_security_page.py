"""SECURITY.md names tests that exist, and leaves out no file of attacks."""

from __future__ import annotations

import re

from infra.settings import ROOT

PAGE = (ROOT / "SECURITY.md").read_text()
ATTACKS = {path.name for path in (ROOT / "tests/attack").glob("test_*.py")}


def test_every_named_test_exists() -> None:
    named = set(re.findall(r"`(test_\w+\.py)`", PAGE))
    assert named
    assert named <= ATTACKS, named - ATTACKS
    for path in re.findall(r"`(tests/[\w/]+(?:\.py)?)`", PAGE):
        assert (ROOT / path).exists(), path


def test_every_file_of_attacks_is_a_line_of_the_threat_model() -> None:
    missing = [name for name in sorted(ATTACKS) if f"`{name}`" not in PAGE]
    assert not missing


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", PAGE):
        assert (ROOT / target).exists(), target
