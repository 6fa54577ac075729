"""The verbs of keys and tokens: where they are, and new ones."""

from __future__ import annotations

from invoke import Collection, Context, task

from infra import credentials, engine, lock
from infra import settings as settings_module
from verbs.verb import HOST, JSON, YES, AnywhereTask, anywhere, verb


@task(name="list", default=True, klass=AnywhereTask, help=JSON | HOST)
@verb
@anywhere
def list_(context: Context, json: bool = False, host: str = "") -> None:
    """Say where each key and token is, since when, and how it is replaced; never what it is."""
    credentials.show(credentials.observe(engine.require(), settings_module.load()), as_json=json)


@task(
    klass=AnywhereTask,
    help={"people": "Also end the tokens that people made for programs of their own."} | YES | HOST,
)
@verb
@anywhere
def rotate(context: Context, people: bool = False, yes: bool = False, host: str = "") -> None:
    """Replace the hub's keys and end all sessions; kernels and terminals go on."""
    settings = settings_module.load()
    with lock.exclusive(settings, "credentials.rotate"):
        credentials.rotate(engine.require(), settings, people=people, yes=yes)


COLLECTION = Collection("credentials", list_, rotate)
