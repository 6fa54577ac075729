"""Which requests are an admin's action, and what of them is written down."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from dropsonde_auth.audit import AuditLog
from dropsonde_auth.handlers import audited as writing

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
        assert (lines[0]["action"], lines[0]["status"]) == (f"{method} {path}", 204)
        assert "s3cret" not in str(lines)
