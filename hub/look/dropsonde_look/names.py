"""Names within a page's scripts."""

from __future__ import annotations

import json
from typing import Any

# What would end a script, or begin another one, in the middle of a JavaScript text.
MARKUP = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def within_script(name: str) -> str:
    """Return a name as the inside of a JavaScript text in a `<script>` element."""
    return json.dumps(name)[1:-1].translate(MARKUP)


def mend(user_class: Any) -> None:
    """Let JupyterHub's `User` write names so; JupyterHub 6.1's own leaves `</script>` as it is on every page."""
    user_class.json_escaped_name = property(lambda self: within_script(self.name))
