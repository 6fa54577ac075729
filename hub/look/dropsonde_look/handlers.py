"""The gallery (DEV_MODE): every page state side by side, a stream of changes, and the API that the admin page asks."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from jupyterhub.handlers import BaseHandler
from tornado import web

from . import gallery, pages, seeds, states, values
from .announcement import Board
from .changes import CUSTOM, ChangesHandler
from .framed import FramedHandler

A_DAY = 86_400_000


class AnnouncementHandler(BaseHandler):  # type: ignore[misc]  # jupyterhub has no types
    """`GET announcement`: JupyterLab asks it from time to time; the sign-in page shows it to everybody, too."""

    def initialize(self, board: Board) -> None:
        """Take where announcements are."""
        self.board = board

    def get(self) -> None:
        """Answer with `text`, `until` (ISO 8601 or null) and `until_text`, or with an empty object."""
        found = self.board.current()
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(found.record() if found else {}))


class GalleryHandler(FramedHandler):
    """`GET look/`: all states in frames."""

    def get(self) -> None:
        """Show them."""
        self.no_store("text/html; charset=utf-8")
        base = f"{self.hub.base_url}look/"
        self.finish(gallery.page(lambda state: f"{base}pages/{state.name}", f"{base}changes"))


class ListHandler(FramedHandler):
    """`GET look/pages.json`: which states there are."""

    def get(self) -> None:
        """List them: name, title, status, url."""
        self.no_store("application/json")
        base = f"{self.hub.base_url}look/pages/"
        listed = [
            {"name": item.name, "title": item.title, "status": item.status, "url": f"{base}{item.name}"}
            for item in states.STATES.values()
        ]
        self.finish(json.dumps(listed))


class PageHandler(FramedHandler):
    """`GET look/pages/NAME`: one state, as people meet it."""

    def get(self, name: str) -> None:
        """Show it, with status 200: its own would be this page's failure."""
        state = states.STATES.get(name)
        if state is None:
            raise web.HTTPError(404)
        ours = self.settings["template_vars"]
        given = {key: value(None) if callable(value) else value for key, value in ours.items()}
        # What is announced now belongs to this hub's own pages.
        given["site_announcement"] = lambda: None
        # Pages that say whom to ask say it here also where a site has named nobody.
        given["approval_contact"] = given["approval_contact"] or states.CONTACT
        given["csp_nonce"] = self.template_namespace.get("csp_nonce", "")
        given["brand"] = replace(given["brand"], contact=given["brand"].contact or states.CONTACT)
        common = values.common(self.static_url, **given)
        self.no_store("text/html; charset=utf-8")
        if not state.of_notebook and state.template != pages.AWAY:
            # What people's browsers are told of this page, but for the frame: what it does not allow shows here.
            self.set_header("Content-Security-Policy", self.policy_in_frame)
        self.finish(pages.render(self.settings["jinja2_env_sync"], state, common, CUSTOM / "static"))

    def head(self, name: str) -> None:
        """Answer with the state's own status: by it the proxy's page sees whether it may go."""
        if name not in states.STATES:
            raise web.HTTPError(404)
        self.set_status(states.STATES[name].status)


class ProgressHandler(FramedHandler):
    """`GET look/progress/N`: what a start sends up to its Nth stage, and no more."""

    def get(self, reached: str) -> None:
        """Send the stages and end: a browser has six connections to a hub, and a gallery shows many pages.

        Browsers ask again for a stream that ended, after as many milliseconds as they are told to.
        """
        self.no_store("text/event-stream")
        stages = states.STAGES[: int(reached)]
        events = [json.dumps({"progress": stage.percent, "message": stage.message}) for stage in stages]
        self.finish("".join([f"retry: {A_DAY}\n\n", *(f"data: {event}\n\n" for event in events)]))


class SeededApiHandler(FramedHandler):
    """`look/api/...`: what the admin page asks JupyterHub's API for; nothing that is sent to it does anything."""

    def check_xsrf_cookie(self) -> None:
        """Ask for none: there is nothing to protect."""

    def get(self, path: str) -> None:
        """Answer with seeded users or groups."""
        listed = (
            seeds.accounts() if path == "users" else [{"name": "cohort-7", "users": [seeds.NAME], "properties": {}}]
        )
        pagination = {"offset": 0, "limit": 50, "total": len(listed), "next": None}
        self.no_store("application/json")
        self.finish(json.dumps({"items": listed, "_pagination": pagination}))

    def post(self, _path: str) -> None:
        """Do nothing."""
        self.no_store("application/json")
        self.finish("{}")

    put = patch = delete = post


def announcements(board: Board) -> list[tuple[Any, ...]]:
    """Return the handler that every hub has."""
    return [("/announcement", AnnouncementHandler, {"board": board})]


def development() -> list[tuple[Any, ...]]:
    """Return the handlers of a hub in DEV_MODE."""
    return [
        ("/look/?", GalleryHandler),
        (r"/look/pages\.json", ListHandler),
        (r"/look/pages/([\w-]+)", PageHandler),
        ("/look/changes", ChangesHandler),
        (r"/look/progress/(\d)", ProgressHandler),
        (r"/look/api/(users|groups)(?:/.*)?", SeededApiHandler),
    ]
