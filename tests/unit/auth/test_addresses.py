"""Which addresses nobody on the way can read."""

from __future__ import annotations

import pytest
from dropsonde_auth.addresses import is_confidential

GOOD = [
    "https://sso.example.org/token",
    "https://sso",
    "http://127.0.0.1:9400/token",
    "http://127.1.2.3/",
    "http://localhost/",
    "http://LOCALHOST:1/",
    "http://[::1]:9400/token",
]
BAD = [
    "http://sso.example.org/token",
    "http://oidc:9400/token",
    "http://127.0.0.1.evil.example/",
    "http://127.0.0.1@evil.example/",
    "https://user:secret@sso.example.org/",
    "http://evil.example\\@127.0.0.1/",
    "http://localhost.evil.example/",
    "http://2130706433/",
    "http://0.0.0.0/",
    "http://[::2]/",
    "http://[::1/",
    "http:///token",
    "https://",
    "ftp://127.0.0.1/",
    "//127.0.0.1/",
    "127.0.0.1",
    "",
]


@pytest.mark.parametrize("address", GOOD)
def test_https_and_this_machine(address: str) -> None:
    assert is_confidential(address)


@pytest.mark.parametrize("address", BAD)
def test_everything_else_is_readable_on_the_way(address: str) -> None:
    assert not is_confidential(address)
