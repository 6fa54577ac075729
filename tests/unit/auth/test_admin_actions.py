"""Which requests are an admin's action, and what of them is written down."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest
from dropsonde_auth.audit import AuditLog
from dropsonde_auth.handlers import audited as writing
from jupyterhub import orm

from .conftest import audited

JANE, ADMIN = (
    SimpleNamespace(name="jane@example.org", admin=False),
    SimpleNamespace(name="admin@example.org", admin=True),
)

REQUESTS = [
    (ADMIN, "DELETE", "/hub/api/users/jane%40example.org/server", True),
    (ADMIN, "PATCH", "/hub/api/users/jane@example.org", True),
    (ADMIN, "POST", "/hub/api/users/admin@example.org/tokens", True),
    (JANE, "POST", "/hub/api/users/admin@example.org/server", True),  # refused, and worth a line
    (ADMIN, "GET", "/hub/api/users", False),
    (JANE, "POST", "/hub/api/users/jane%40example.org/server", False),
    (JANE, "POST", "/hub/api/users/jane@example.org/activity", False),
    (JANE, "POST", "/hub/api/oauth2/token", False),
    (ADMIN, "POST", "/hub/login", False),
    (None, "POST", "/hub/api/users/jane", False),
]


@pytest.mark.parametrize(("user", "method", "path", "expected"), REQUESTS)
def test_changes_for_others_are_written(
    tmp_path: Path, user: SimpleNamespace | None, method: str, path: str, expected: bool
) -> None:
    logged = []
    request = SimpleNamespace(method=method, path=path, uri=f"{path}?token=s3cret")
    handler = SimpleNamespace(request=request, current_user=user, get_status=lambda: 204)
    writing(AuditLog(tmp_path / "audit"), log=logged.append)(handler)
    lines = audited(tmp_path / "audit")
    assert logged == [handler], "JupyterHub's own log goes on"
    assert bool(lines) == expected
    if user and lines:
        assert (lines[0]["event"], lines[0]["by"]) == ("admin", user.name)
        whose = unquote(path).removeprefix("/hub/api/users/").partition("/")[0]
        assert lines[0]["user"] == whose
        assert (lines[0]["action"], lines[0]["status"]) == (f"{method} {path}", 204)
        assert "s3cret" not in str(lines)


AUTHORIZE, WHO = "/hub/api/oauth2/authorize", "/hub/api/user"
JANES, PAGE = "jupyterhub-user-jane", {"Location": "/user/jane/oauth_callback?code=s3cret&state=x"}
ADDRESS = "10.0.0.7"


@pytest.fixture
def database(tmp_path: Path) -> Any:
    """A hub's database with a server of Jane's."""
    database = orm.new_session_factory(f"sqlite:///{tmp_path}/hub.sqlite")()
    client, jane = orm.OAuthClient(identifier=JANES), orm.User(name=JANE.name)
    server = orm.Server(ip=ADDRESS)
    database.add_all([client, jane, server, orm.Spawner(name="", user=jane, server=server, oauth_client=client)])
    database.commit()
    yield database
    database.close()


OPENINGS = [
    # A page: whoever may, and agreed, is sent back with a code; whoever may not is refused.
    (ADMIN, "POST", AUTHORIZE, 302, {"client": JANES, "headers": PAGE}, 302),
    (ADMIN, "GET", AUTHORIZE, 302, {"client": JANES, "headers": PAGE}, 302),
    (ADMIN, "GET", AUTHORIZE, 200, {"client": JANES}, None),
    (ADMIN, "GET", AUTHORIZE, 403, {"client": JANES}, 403),
    (ADMIN, "POST", AUTHORIZE, 302, {"client": JANES, "headers": {"Location": "/?error=invalid_scope"}}, "other"),
    (JANE, "GET", AUTHORIZE, 302, {"client": JANES, "headers": PAGE}, None),
    (ADMIN, "GET", AUTHORIZE, 302, {"client": "service-x", "headers": PAGE}, None),
    # A token: her server asks the hub whose it is.
    (ADMIN, "GET", WHO, 200, {"token": "jupyterhub"}, 200),
    (ADMIN, "GET", WHO, 200, {"token": "jupyterhub", "may": False}, None),
    (ADMIN, "GET", WHO, 200, {"token": JANES}, None),
    (ADMIN, "GET", WHO, 200, {"token": "jupyterhub", "ip": "10.0.0.8"}, None),
    (ADMIN, "GET", WHO, 200, {}, None),
    (JANE, "GET", WHO, 200, {"token": "jupyterhub"}, None),
]


@pytest.mark.parametrize(("user", "method", "path", "status", "more", "expected"), OPENINGS)
def test_whose_server_somebody_opens_is_written(
    tmp_path: Path,
    database: Any,
    user: SimpleNamespace,
    method: str,
    path: str,
    status: int,
    more: dict[str, Any],
    expected: object,
) -> None:
    token = SimpleNamespace(client_id=more["token"]) if "token" in more else None
    handler = SimpleNamespace(
        request=SimpleNamespace(method=method, path=path, remote_ip=more.get("ip", ADDRESS)),
        current_user=user,
        db=database,
        _headers=more.get("headers", {}),
        get_status=lambda: status,
        get_arguments=lambda _name: [more["client"]] if "client" in more else [],
        get_token=lambda: token,
        get_scope_filter=lambda _scope: lambda _server, kind: kind == "server" and more.get("may", True),
    )
    writing(AuditLog(tmp_path / "audit"), log=lambda _: None)(handler)
    lines = audited(tmp_path / "audit")
    if expected is None:
        assert lines == []
    elif expected == "other":
        assert [line["action"] for line in lines] == [f"{method} {path}"]
    else:
        told = [(line["by"], line["user"], line["action"], line["status"]) for line in lines]
        assert told == [(ADMIN.name, JANE.name, "open", expected)]
        assert "s3cret" not in str(lines)
