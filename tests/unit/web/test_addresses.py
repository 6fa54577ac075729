"""Where a request comes from: by the proxy's word, and nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest
from dropsonde_web import addresses
from dropsonde_web.errors import SettingError
from tornado import httpclient, httpserver, web
from tornado.testing import bind_unused_port

# The control network is 172.22.0.0/16, the notebooks' 172.25.0.0/16.
ROUTES = """Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
eth0 00000000 010016AC 0003 0 0 0 00000000 0 0 0
eth0 000016AC 00000000 0001 0 0 0 0000FFFF 0 0 0
eth1 000019AC 00000000 0001 0 0 0 0000FFFF 0 0 0
"""
PROXY, PROXY_ON_CONTROL, ENGINE, CONTAINER = "172.25.0.3", "172.22.0.7", "172.22.0.1", "172.25.128.9"
BROWSER, FORGED = "203.0.113.5", "198.51.100.1"


@pytest.fixture
def routes(tmp_path: Path) -> Path:
    file = tmp_path / "route"
    file.write_text(ROUTES)
    return file


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        pytest.param(PROXY, f"{BROWSER},{ENGINE}", BROWSER, id="a host with a front"),
        pytest.param(PROXY_ON_CONTROL, f"{BROWSER}, 172.25.0.1", BROWSER, id="on the other network"),
        pytest.param(PROXY, ENGINE, ENGINE, id="a machine without"),
        pytest.param(PROXY, f"{FORGED},{BROWSER},{ENGINE}", BROWSER, id="a front that appends"),
        pytest.param(PROXY, f"{FORGED},{ENGINE},{CONTAINER}", CONTAINER, id="a container at the proxy"),
        pytest.param(CONTAINER, FORGED, CONTAINER, id="a container at the hub"),
        pytest.param(CONTAINER, f"{FORGED},{ENGINE}", CONTAINER, id="a container that plays the proxy"),
        pytest.param(ENGINE, FORGED, ENGINE, id="the machine at the hub"),
        pytest.param("127.0.0.1", FORGED, "127.0.0.1", id="the hub's own container"),
        pytest.param(PROXY, f"no address,{ENGINE}", ENGINE, id="no address before"),
        pytest.param(PROXY, "no address", PROXY, id="no address"),
        pytest.param(PROXY, "", PROXY, id="the proxy itself"),
    ],
)
def test_where_a_request_comes_from(routes: Path, peer: str, forwarded: str, client: str) -> None:
    assert addresses.Surroundings.read(PROXY, routes).client(peer, forwarded) == client


def test_a_hub_that_has_only_one_network_yet_trusts_no_container(routes: Path) -> None:
    routes.write_text("".join(line for line in ROUTES.splitlines(keepends=True) if not line.startswith("eth0")))
    around = addresses.Surroundings.read(PROXY, routes)
    assert around.client(CONTAINER, FORGED) == CONTAINER
    assert around.client(PROXY, f"{BROWSER},172.25.0.1") == BROWSER


@pytest.mark.parametrize("proxy", ["", "proxy"])
def test_without_the_proxys_address_no_hub_starts(proxy: str) -> None:
    with pytest.raises(SettingError, match="PROXY_ADDRESS"):
        addresses.install(proxy)


@pytest.fixture
def _nothing_stays(routes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses.CONTEXT, "_apply_xheaders", addresses.STOCK)
    read = addresses.Surroundings.read
    monkeypatch.setattr(addresses.Surroundings, "read", lambda proxy: read(proxy, routes))


class Say(web.RequestHandler):
    def get(self) -> None:
        """Answer with where the request comes from."""
        self.finish(self.request.remote_ip)


@pytest.mark.usefixtures("_nothing_stays")
@pytest.mark.parametrize(("proxy", "seen"), [("127.0.0.1", BROWSER), (PROXY, "127.0.0.1")])
async def test_a_server_as_jupyterhub_starts_it(proxy: str, seen: str) -> None:
    addresses.install(proxy)
    server = httpserver.HTTPServer(web.Application([("/", Say)]), xheaders=True)
    socket, port = bind_unused_port()
    server.add_socket(socket)
    headers = {"X-Forwarded-For": f"{BROWSER},{ENGINE}", "X-Real-Ip": FORGED}
    try:
        client = httpclient.AsyncHTTPClient(force_instance=True)
        answer = await client.fetch(f"http://127.0.0.1:{port}/", headers=headers)
        alone = await client.fetch(f"http://127.0.0.1:{port}/", headers={"X-Real-Ip": FORGED})
        assert (answer.body.decode(), alone.body.decode()) == (seen, "127.0.0.1")
    finally:
        server.stop()
        await server.close_all_connections()
