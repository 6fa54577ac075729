"""The verbs of the look and feel: live editing, what differs, and every page at a glance."""

from __future__ import annotations

from invoke import Collection, Context, task

from infra import console, engine, lock, look_export, look_pull, look_watch
from infra import settings as settings_module
from verbs.verb import JSON, YES, verb


@task(default=True, help={"to": "Write them into this folder instead, as files that need no hub; works in every mode."})
@verb
def pages(context: Context, to: str = "") -> None:
    """Say where every page of the hub is shown side by side, with seeded data."""
    client, settings = engine.require(), settings_module.load()
    if to:
        console.result(look_export.export(client, settings, to))
    else:
        look_watch.require_live(client, settings)
        console.result(look_watch.gallery(settings))


@task
@verb
def watch(context: Context) -> None:
    """Show edits of www_custom/ in the running hub and notebooks at once, and check them. Ctrl-C ends."""
    look_watch.follow(engine.require(), settings_module.load())


@task(help=JSON)
@verb
def diff(context: Context, json: bool = False) -> None:
    """Say what differs between www_custom/hub and the running hub, share/, and edits of JupyterHub's own pages."""
    look_pull.show(look_pull.observe(engine.require(), settings_module.load()), as_json=json)


@task(positional=["file"], iterable=["file"], help={"file": "Only these, as look.diff names them."} | YES)
@verb
def pull(context: Context, file: list[str], yes: bool = False) -> None:
    """Bring what was changed in the hub or put into share/ into www_custom/hub, and check it."""
    client, settings = engine.require(), settings_module.load()
    with lock.exclusive(settings, "look.pull"):
        if not look_pull.pull(client, settings, file, yes=yes):
            console.done("Nothing to bring")


COLLECTION = Collection("look", pages, watch, diff, pull)
