"""What verbs with `--host` need besides the rest: Ansible and SSH, installed when one is used for the first time."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from infra import console, process
from infra.settings import ROOT

LOCK = ROOT / "requirements/deploy.txt"


def is_installed(prefix: Path, lock: Path = LOCK) -> bool:
    """Return whether exactly what the lock says was installed into this environment."""
    mark = prefix / "deploy-locked"
    return mark.is_file() and mark.read_bytes() == lock.read_bytes()


def ensure(prefix: Path | None = None) -> None:
    """Install what requirements/deploy.txt says into this Python's environment, if it is not there.

    Raises:
        DropsondeError: It could not be installed.
    """
    prefix = Path(sys.prefix) if prefix is None else prefix
    if is_installed(prefix):
        return
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", f"--python={prefix}/bin/python"]
    with console.step("Installing what deploying needs (Ansible, SSH; once, 400 MB)"):
        process.run(
            [*install, "--require-hashes", f"--requirements={LOCK}"],
            what="The packages of requirements/deploy.txt could not be installed.",
            next_step="Check the network to PyPI (UV_DEFAULT_INDEX, SSL_CERT_FILE and HTTPS_PROXY are honoured), "
            "then run this again.",
        )
        # Copied last, so that an interrupted installation is done again.
        (prefix / "deploy-locked").write_bytes(LOCK.read_bytes())
    importlib.invalidate_caches()
