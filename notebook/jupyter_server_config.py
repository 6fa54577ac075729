"""Every notebook server's settings. Nothing here may keep a server from starting, whatever is in somebody's home."""

import json
import logging
import os
import sys
from typing import Any

sys.path.append("/usr/local/lib/dropsonde")

c = get_config()  # noqa: F821

# A login shell, which Jupyter would start otherwise, forgets the PATH to the libraries (/etc/profile sets its own).
c.ServerApp.terminado_settings = {"shell_command": [os.environ.get("SHELL", "/bin/bash")]}


def misfits() -> list[dict[str, str]]:
    """Return the name and the problem of each own package that does not fit, none where that cannot be found out."""
    try:
        from own_packages import found

        return [{"name": package.name, "problem": package.problem} for package in found() if package.problem]
    except Exception:
        logging.getLogger(__name__).exception("The person's own packages could not be looked at")
        return []


def in_use() -> dict[str, Any]:
    """Return what counts silent kernels and terminals as use, nothing where it cannot be loaded."""
    try:
        from at_work import AtWork
        from jupyter_server.serverapp import ServerApp

        return {"last_activity_times": AtWork(lambda: ServerApp.instance().web_app.settings)}
    except Exception:
        logging.getLogger(__name__).exception("Silent kernels and terminals do not count as use")
        return {}


def brand() -> dict[str, str]:
    """Return the site's name, colours and so on as the hub hands them over, nothing where it does not."""
    try:
        return dict(json.loads(os.environ.get("DROPSONDE_BRAND", "{}")))
    except (ValueError, TypeError):
        logging.getLogger(__name__).exception("DROPSONDE_BRAND cannot be read")
        return {}


BRAND = brand()
# Error pages with the hub's face.
c.ServerApp.extra_template_paths = ["/usr/local/share/dropsonde/templates"]
c.ServerApp.jinja_template_vars = {"dropsonde": BRAND}

# JupyterLab's page: what our extension (labextension/static/notices.js) tells people, and how it looks.
c.ServerApp.tornado_settings = in_use() | {
    "page_config_data": {
        "dropsondeBrand": json.dumps(BRAND),
        "dropsondeVersion": os.environ.get("DROPSONDE_VERSION", ""),
        "dropsondeOwnPackages": json.dumps(misfits()),
    }
}
