"""Known vulnerabilities, asked of a service in OSV's format, and the list of those that are accepted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from infra import bills, locked, osv, vulnerabilities
from infra.errors import ConfigError, DropsondeError
from infra.locked import Package
from tests.unit.infra.osv_service import Osv, serving

TODAY = date(2026, 11, 25)
ENTRY = """
[[ignore]]
id = "CVE-2026-1"
package = "jupyterhub"
reason = "This hub has no such route."
expires = 2026-12-31
"""


@pytest.fixture
def service() -> Iterator[Osv]:
    with serving() as running:
        yield running


def hub_version() -> str:
    return next(item.version for item in locked.packages() if item.name == "jupyterhub")


def knows_jupyterhub(service: Osv) -> None:
    affected = [{"package": {"name": "jupyterhub"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"fixed": "99.0"}]}]}]
    more = {"aliases": ["CVE-2026-1"], "summary": "Anybody gets in", "affected": affected}
    service.knows("jupyterhub", hub_version(), "GHSA-aaaa", **more)


def run(service: Osv, ignored: Path, folder: Path | None = None) -> int:
    # By default no bills: this tree's may be there, or not.
    return vulnerabilities.main({"OSV_URL": f"{service.url}/"}, TODAY, ignored, folder or ignored.parent / "none")


@pytest.fixture
def ignored(tmp_path: Path) -> Path:
    path = tmp_path / "audit.toml"
    path.write_text("")
    return path


def test_everything_that_is_locked_is_asked_for_once(service: Osv, ignored: Path) -> None:
    assert run(service, ignored) == 0
    purls = [query["package"]["purl"] for query in service.asked if "purl" in query["package"]]
    assert len(purls) == len(set(purls))
    assert set(purls) == {item.purl for item in locked.packages()}
    assert f"pkg:pypi/jupyterhub@{hub_version()}" in purls
    assert any(purl.startswith("pkg:npm/configurable-http-proxy@") for purl in purls)


def test_a_vulnerable_package_fails_with_what_helps(
    service: Osv, ignored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    knows_jupyterhub(service)
    assert run(service, ignored) == 1
    told = "".join(capsys.readouterr())
    for part in ("jupyterhub", hub_version(), "GHSA-aaaa", "99.0", "Anybody gets in", "hub/requirements.txt", "Next:"):
        assert part in told, part


def test_what_is_accepted_by_an_alias_passes(service: Osv, ignored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    knows_jupyterhub(service)
    ignored.write_text(ENTRY)
    assert run(service, ignored) == 0
    assert "0 open, 1 accepted" in "".join(capsys.readouterr())


def test_what_is_found_no_more_is_named(service: Osv, ignored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ignored.write_text(ENTRY)
    assert run(service, ignored) == 0
    assert "CVE-2026-1 of jupyterhub is found no more" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("2026-12-31", "2026-11-24"), "accepted until 2026-11-24"),
        (("2026-12-31", "2028-01-01"), "more than a year"),
        (("2026-12-31", '"soon"'), "no day"),
        (("This hub has no such route.", "n/a"), "says nothing"),
        (('reason = "This hub has no such route."\n', ""), "not expires, id, package, reason"),
        (("expires =", "until ="), "not expires, id, package, reason"),
        (("[[ignore]]", "[[ignore"), ""),
    ],
)
def test_nothing_is_accepted_without_a_reason_or_for_ever(change: tuple[str, str], says: str) -> None:
    with pytest.raises(ConfigError) as raised:
        vulnerabilities.read_ignored(ENTRY.replace(*change), TODAY)
    assert says in raised.value.seen
    assert raised.value.next_step


def test_the_last_day_counts() -> None:
    assert vulnerabilities.read_ignored(ENTRY.replace("2026-12-31", "2026-11-25"), TODAY)


def test_our_own_list_can_be_read() -> None:
    vulnerabilities.read_ignored(vulnerabilities.IGNORED.read_text(), date.today())


def test_a_service_that_cannot_be_reached_is_no_clean_bill(ignored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert vulnerabilities.main({"OSV_URL": "http://127.0.0.1:9"}, TODAY, ignored) == 1
    told = "".join(capsys.readouterr())
    assert "nothing was checked" in told
    assert "OSV_URL" in told


def test_neither_is_one_that_fails_or_says_something_else(service: Osv, monkeypatch: pytest.MonkeyPatch) -> None:
    package = Package("pypi", "a", "1", "x")
    service.status = 503
    with pytest.raises(DropsondeError, match="nothing was checked"):
        osv.findings(service.url, [package])
    service.status = 200
    monkeypatch.setattr(osv, "_call", lambda *_: {"results": []})
    with pytest.raises(DropsondeError, match="does not fit"):
        osv.findings(service.url, [package])


def test_long_answers_come_in_pages_and_withdrawn_entries_do_not_count(service: Osv) -> None:
    service.page = 2
    for number in range(5):
        service.knows("a", "1", f"X-{number}", **({"withdrawn": "2026-01-01T00:00:00Z"} if number == 3 else {}))
    found = osv.findings(service.url, [Package("pypi", "a", "1", "x"), Package("pypi", "a", "1", "y")])
    assert [item.id for item in found] == ["X-0", "X-1", "X-2", "X-4"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bill with packages of Debian, of Java, of Python, and a jar that does not say what it is."""
    debian = {"arch": "amd64", "distro": "debian-13", "upstream": "openssl@3.5.1-1"}
    bill = bills.document(
        *("hub", "1"),
        [
            Package("deb", "libssl3t64", "3.5.1-1+b1", "hub", qualifiers=tuple(debian.items())),
            Package("deb", "openssl", "3.5.1-1", "hub"),
            Package("pypi", "a", "1", "hub"),
            Package("maven", "org.apache.thrift:libthrift", "0.12.0", "hub", paths=("/opt/libthrift-0.12.0.jar",)),
            Package("generic", "plain.jar", "", "hub", ("sha256:00",), paths=("/opt/plain.jar",)),
        ],
    )
    bills.write({"hub": bill}, tmp_path / "sbom")
    return tmp_path / "sbom"


def test_debians_packages_of_the_bills_are_asked_for_by_source_and_release(service: Osv, folder: Path) -> None:
    packages = [item for item in vulnerabilities.in_bills(folder) if item.kind == "deb"]
    assert [(item.name, item.version) for item in packages] == [("openssl", "3.5.1-1")]
    service.knows("openssl", "3.5.1-1", "DSA-1")
    assert [item.id for item in osv.findings(service.url, packages)] == ["DSA-1"]
    assert service.asked == [{"package": {"ecosystem": "Debian:13", "name": "openssl"}, "version": "3.5.1-1"}]


def test_javas_libraries_of_the_bills_are_asked_for_by_their_name_in_maven(service: Osv, folder: Path) -> None:
    packages = [item for item in vulnerabilities.in_bills(folder) if item.kind == "maven"]
    events = [{"introduced": "0"}, {"fixed": "0.14.0"}]
    ranges = [{"type": "ECOSYSTEM", "events": events}]
    named = {"ecosystem": "Maven", "name": "org.apache.thrift:libthrift"}
    affected = [
        {"package": named, "ranges": ranges},
        {"package": {**named, "name": "org.example:libthrift"}, "ranges": [{**ranges[0], "events": [{"fixed": "9"}]}]},
    ]
    service.knows("org.apache.thrift/libthrift", "0.12.0", "GHSA-g2fg", aliases=["CVE-2020-13949"], affected=affected)
    (found,) = osv.findings(service.url, packages)
    assert (found.package.name, found.id, found.fixed) == ("org.apache.thrift:libthrift", "GHSA-g2fg", ("0.14.0",))
    assert service.asked == [{"package": {"purl": "pkg:maven/org.apache.thrift/libthrift@0.12.0"}}]


def test_what_was_found_in_a_jar_fails_and_is_accepted_by_its_name_in_maven(
    service: Osv, ignored: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service.knows("org.apache.thrift/libthrift", "0.12.0", "GHSA-g2fg")
    assert run(service, ignored, folder) == 1
    told = "".join(capsys.readouterr())
    for part in ("GHSA-g2fg", "hub.cdx.json", "1 Debian sources", "1 Java", "/opt/plain.jar does not say"):
        assert part in told, part
    named = ENTRY.replace("jupyterhub", "org.apache.thrift:libthrift").replace("CVE-2026-1", "GHSA-g2fg")
    ignored.write_text(named)
    assert run(service, ignored, folder) == 0


def test_without_bills_it_says_what_was_not_asked_for(
    service: Osv, ignored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(service, ignored, tmp_path) == 0
    told = "".join(capsys.readouterr())
    assert "Only what is locked" in told
    assert "invoke sbom" in told


@pytest.mark.parametrize("text", ["", '{"components": [', "[]", '{"components": [{}]}', "\udcff"])
def test_a_bill_that_was_cut_short_is_named(
    service: Osv, ignored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (tmp_path / "hub.cdx.json").write_text(text, "utf-8", "surrogateescape")
    assert run(service, ignored, tmp_path) != 0
    told = "".join(capsys.readouterr())
    assert "hub.cdx.json is no bill of materials" in told
    assert "invoke sbom" in told
