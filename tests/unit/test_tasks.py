"""The verbs: a newcomer understands each one's help, and errors reach people without a traceback."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
from invoke import Task

import tasks
from infra.settings import ROOT

VERBS = {name: item for name, item in vars(tasks).items() if isinstance(item, Task)}


@pytest.mark.parametrize("name", sorted(VERBS))
def test_every_verb_and_every_option_explains_itself(name: str) -> None:
    task = VERBS[name]
    assert task.__doc__
    options = set(inspect.signature(task.body).parameters) - {"context"}
    assert options == set(task.help)


def test_the_story_names_every_verb() -> None:
    for task in VERBS.values():
        assert task.name == "verbs" or f"invoke {task.name}" in tasks.STORY, task.name


@pytest.mark.parametrize(
    ("variable", "value", "verb", "code"), [("HUB_PORT", "x", "status", 78), ("SERVICE_NAME", "A", "doctor", 78)]
)
def test_a_wrong_setting_ends_with_three_parts_and_its_code(variable: str, value: str, verb: str, code: int) -> None:
    import os

    done = subprocess.run(
        [sys.executable, "-m", "invoke", verb],
        cwd=ROOT,
        env=os.environ | {variable: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Error:" in done.stderr
    assert "Next:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "next_step"),
    [
        (["fly"], "`invoke` tells which verbs there are."),
        (["reset", "--fast"], "invoke reset --help"),
        (["down", "--volumes=yes"], "invoke down --help"),
    ],
)
def test_what_cannot_be_read_has_a_next_step(words: list[str], next_step: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "invoke", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert done.stderr.rstrip().endswith(f"Next: {next_step}")
    assert "Traceback" not in done.stderr
