"""Pages while their templates are being edited (DEV_MODE): a broken one says where it is broken, and recovers."""

from __future__ import annotations

import functools
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, Template, TemplateNotFound

from . import changes
from .templates import OURS, Problem, problem_of

# Nothing of ours that could be broken as well.
PAGE = Environment(autoescape=True, enable_async=False).from_string(
    """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>This template is broken</title>
  <style>
    :root { color-scheme: light dark; }
    body { font-family: system-ui, sans-serif; max-width: 48rem; margin: 3rem auto; padding: 0 1rem; line-height: 1.5; }
    pre { padding: 1rem; border: 1px solid; border-radius: .5rem; white-space: pre-wrap; overflow-wrap: anywhere; }
  </style>
</head>
<body>
  <h1>This template is broken</h1>
  <pre>{{ problem }}</pre>
  <p>Mend the line and save the file: this page comes back by itself.</p>
  <script nonce="{{ nonce }}">
    const tryAgain = () => window.location.reload();
    // Within the gallery it is the gallery that listens: a browser has six connections for one hub.
    if (window === window.top) {
      const changes = new EventSource("{{ stream }}");
      changes.onmessage = tryAgain;
      changes.onerror = () => setTimeout(tryAgain, 2000);
    }
  </script>
</body>
</html>
"""
)


def page(problem: Problem, nonce: str = "") -> str:
    """Return the page that shows a mistake; its program runs with the answer's nonce only."""
    return PAGE.render(problem=problem, stream=changes.address(), nonce=nonce)


class LiveTemplate(Template):
    """A template that shows its mistakes instead of failing."""

    def render(self, *args: Any, **kwargs: Any) -> str:
        """Return the page, or the one that says where it is broken."""
        try:
            return super().render(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - a template may raise whatever it calls raises
            return page(problem_of(error, self.environment.folder), kwargs.get("csp_nonce", ""))  # type: ignore[attr-defined]

    async def render_async(self, *args: Any, **kwargs: Any) -> str:
        """Return the same where JupyterHub renders asynchronously."""
        try:
            return await super().render_async(*args, **kwargs)
        except Exception as error:  # noqa: BLE001
            return page(problem_of(error, self.environment.folder), kwargs.get("csp_nonce", ""))  # type: ignore[attr-defined]


class LiveEnvironment(Environment):
    """Finds every file as it is now."""

    template_class = LiveTemplate

    def __init__(self, folder: Path = OURS, **options: Any) -> None:
        super().__init__(**options)
        self.folder = folder

    def get_template(self, name: Any, parent: str | None = None, globals: Any = None) -> Template:  # noqa: A002
        """Return a template; for one that cannot be read, the page that says why."""
        try:
            return super().get_template(name, parent, globals)
        except TemplateNotFound as error:
            # JupyterHub asks for pages that need not be there, such as 403.html.
            if parent is None and error.name == name:
                raise
            return self._broken(error, parent)
        except Exception as error:  # noqa: BLE001 - a syntax error, or a file that is no text
            return self._broken(error, parent)

    def _broken(self, error: Exception, parent: str | None) -> Template:
        if parent is not None:
            # The template that extends this one shows it.
            raise error
        problem = problem_of(error, self.folder)
        shown = functools.partial(page, problem)
        return self.from_string("{{ broken(csp_nonce | default('')) | safe }}", globals={"broken": shown})


def install(settings: MutableMapping[str, Any], folder: Path = OURS) -> None:
    """Put environments that show mistakes in the place of JupyterHub's two, in its tornado settings."""
    for key in ("jinja2_env", "jinja2_env_sync"):
        made = settings[key]
        extensions = [type(item) for item in made.extensions.values()]
        options = {"enable_async": made.is_async, "autoescape": True, "cache_size": 0, "extensions": extensions}
        settings[key] = LiveEnvironment(folder, loader=made.loader, **options)
