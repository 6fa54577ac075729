"""Host keys from consoles, and files of known hosts."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from infra import host_keys


def key(kind: str, content: bytes = b"\0\0\0\x20" + b"k" * 32) -> str:
    """Return a public key as ssh writes it."""
    return f"{kind} {base64.b64encode(len(kind).to_bytes(4, 'big') + kind.encode() + content).decode()}"


ED, EC, RSA = key("ssh-ed25519"), key("ecdsa-sha2-nistp256"), key("ssh-rsa")
BEGIN, END = "-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----"


def test_keys_are_found_between_the_marks_only() -> None:
    log = f"[    0.0] Linux\n{RSA} of an admin\n{BEGIN}\n{ED} root@hub\n{EC} root@hub\n{END}\nlogin:"
    assert host_keys.from_console(log) == sorted([ED, EC])


def test_a_console_that_numbers_its_lines_and_ends_them_with_carriage_returns() -> None:
    log = f"[   12.3] cloud-init[512]: {BEGIN}\r\n[   12.3] cloud-init[512]: {ED} root@hub\r\n[   12.3] {END}\r\n"
    assert host_keys.from_console(log) == [ED]


def test_the_last_boot_counts() -> None:
    other = key("ssh-ed25519", b"\0\0\0\x20" + b"o" * 32)
    log = f"{BEGIN}\n{other}\n{END}\n{BEGIN}\n{ED}\n{END}\n"
    assert host_keys.from_console(log) == [ED]


@pytest.mark.parametrize(
    "log",
    [
        "",
        f"{BEGIN}\n{ED} root@hub\n",
        f"{BEGIN}\n{ED[:30]}\n{END}",
        f"{BEGIN}\nssh-ed25519 {RSA.split()[1]}\n{END}",
        f"{BEGIN}\nssh-dss AAAA\n{END}",
    ],
    ids=["empty", "no end", "cut off", "another type inside", "a type nobody takes"],
)
def test_what_is_no_whole_key_is_none(log: str) -> None:
    assert host_keys.from_console(log) == []


def test_a_hosts_keys_are_replaced_and_all_else_stays() -> None:
    before = f"# ours\n10.0.0.1 {RSA}\nhub.example.org,10.0.0.2 {RSA}\n"
    after = host_keys.replaced(before, "10.0.0.1", [ED, EC])
    assert after == f"# ours\nhub.example.org,10.0.0.2 {RSA}\n10.0.0.1 {ED}\n10.0.0.1 {EC}\n"
    assert host_keys.replaced(after, "10.0.0.1", [EC, ED]) == after
    assert host_keys.replaced(after, "10.0.0.1", []) == f"# ours\nhub.example.org,10.0.0.2 {RSA}\n"


@pytest.mark.parametrize(("port", "pattern"), [(22, "10.0.0.1"), (2222, "[10.0.0.1]:2222")])
def test_ports_are_part_of_the_pattern(port: int, pattern: str) -> None:
    assert host_keys.host_pattern("10.0.0.1", port) == pattern
    assert host_keys.knows(f"{pattern} {ED}\n", pattern)
    assert not host_keys.knows(f"#{pattern} {ED}\n\n10.0.0.10 {ED}\n", pattern)


def test_the_file_is_made_and_changed_only_when_needed(tmp_path: Path) -> None:
    file = tmp_path / "inventory/known_hosts"
    assert host_keys.update(file, "10.0.0.1", [ED])
    assert file.read_text() == f"10.0.0.1 {ED}\n"
    assert not host_keys.update(file, "10.0.0.1", [ED])
    assert host_keys.update(file, "10.0.0.1", [])
    assert [path.name for path in file.parent.iterdir()] == ["known_hosts"]
