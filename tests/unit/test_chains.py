"""Chains of verbs: a verb's name starts that verb, also behind one that could still take another word."""

from __future__ import annotations

import subprocess
import sys
from copy import deepcopy

import pytest
from invoke.parser import Parser

import tasks
from infra.settings import ROOT


def parsed(line: str) -> list[tuple[str, dict[str, object]]]:
    """Return the verbs of a command line, each with what it is given."""
    # Of a copy: invoke takes the tasks' help out of them.
    found = Parser(contexts=deepcopy(tasks.namespace).to_contexts()).parse_argv(line.split())
    return [(verb.name, {name: item.value for name, item in verb.args.items() if item.got_value}) for verb in found]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("science.verify status", [("science.verify", {"version": ""}), ("status", {})]),
        ("science.verify 1a0c status", [("science.verify", {"version": "1a0c"}), ("status", {})]),
        ("science.use science.list", [("science.use", {"version": ""}), ("science.list", {"name": ""})]),
        ("science.diff 1a0c status", [("science.diff", {"before": "1a0c", "after": ""}), ("status", {})]),
        ("science.pin --clear jane up", [("science.pin", {"user": "jane", "version": "", "clear": True}), ("up", {})]),
        # As many files as a reader names.
        ("look.pull", [("look.pull", {})]),
        ("look.pull a.html up", [("look.pull", {"file": ["a.html"]}), ("up", {})]),
        (
            "look.pull a.html --yes b.css look.diff",
            [("look.pull", {"file": ["a.html", "b.css"], "yes": True}), ("look.diff", {})],
        ),
        # An option's value is no verb.
        ("science.list --name up", [("science.list", {"name": "up"})]),
        ("science.pin --user logs 1a0c", [("science.pin", {"user": "logs", "version": "1a0c"})]),
        ("build --only hub up", [("build", {"only": "hub"}), ("up", {})]),
    ],
)
def test_a_verbs_name_starts_that_verb(line: str, expected: list[tuple[str, dict[str, object]]]) -> None:
    assert parsed(line) == expected


@pytest.mark.parametrize("verb", ["access", "science.pin", "build"])
def test_help_is_no_argument(verb: str) -> None:
    asked = [sys.executable, "-m", "invoke", verb, "--help"]
    told = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f" {verb} " in told
    assert "Options:" in told
