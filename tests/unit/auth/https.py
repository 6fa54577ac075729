"""A real HTTPS server on 127.0.0.1, with a certificate that lives as long as the tests."""

from __future__ import annotations

import functools
import os
import ssl
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@functools.cache
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the server's TLS settings and those of clients that trust it, and nobody else."""
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder) / "key.pem", Path(folder) / "certificate.pem"
        command = (
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost"
        )
        command += " -addext subjectAltName=IP:127.0.0.1,DNS:localhost"
        subprocess.run(
            [*command.split(), "-keyout", str(key), "-out", str(certificate)],
            check=True,
            capture_output=True,
        )
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server.load_cert_chain(certificate, key)
        return server, ssl.create_default_context(cafile=str(certificate))


@asynccontextmanager
async def serve(handler: Handler, port: int = 0) -> AsyncIterator[str]:
    """Serve all paths with a handler; the value is the address, with a slash at its end. No proxy is in the way."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    server = TestServer(app, host="127.0.0.1", port=port or None)
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.lower() in PROXIES:
                patch.delenv(name)
        await server.start_server(ssl=contexts()[0], shutdown_timeout=0.1)
        try:
            yield f"https://127.0.0.1:{server.port}/"
        finally:
            await server.close()
