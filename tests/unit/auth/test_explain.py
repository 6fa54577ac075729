"""What `invoke access` says before anybody is asked: providers that prove no e-mail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dropsonde_auth import with_approval
from dropsonde_auth.explain import explain
from oauthenticator.azuread import AzureAdOAuthenticator
from oauthenticator.cilogon import CILogonOAuthenticator
from oauthenticator.github import GitHubOAuthenticator
from oauthenticator.globus import GlobusOAuthenticator
from traitlets.config import Config

from .conftest import Source

EMAIL = "jane@example.org"
SILENT = [CILogonOAuthenticator, AzureAdOAuthenticator, GlobusOAuthenticator]


async def told(kind: Any, folder: Path, source: Source, **options: Any) -> dict[str, Any]:
    source.approved[EMAIL] = None
    made = with_approval(kind)
    base = {"data_dir": str(folder), "approval_source": lambda _alarm: source}
    return await explain(made(config=Config({made.__name__: base | options})), EMAIL)


@pytest.mark.parametrize("kind", SILENT)
async def test_nobody_gets_in_where_nothing_is_proved(kind: Any, tmp_path: Path, source: Source) -> None:
    found = await told(kind, tmp_path, source)
    assert not found["would_get_in"]
    assert "OAUTH_TRUST_EMAIL=1" in found["next"]
    assert (await told(kind, tmp_path, source, trust_email=True))["would_get_in"]


async def test_who_can_prove_it_has_to(tmp_path: Path, source: Source) -> None:
    found = await told(GitHubOAuthenticator, tmp_path, source)
    assert found["would_get_in"]
    assert found["steps"][1]["answer"] == "unknown"
