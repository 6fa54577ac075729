"""Check that both compose files are valid: `python -m tests.support.compose_config`."""

from __future__ import annotations

from dataclasses import replace

from infra import compose, images, settings


def main() -> None:
    """Let compose read its files, with and without DEV_MODE."""
    ours = settings.load()
    for dev_mode in (True, False):
        chosen = replace(ours, dev_mode=dev_mode)
        compose.run(chosen, images.tags(chosen), "config", "--quiet", what=f"Invalid with DEV_MODE={int(dev_mode)}.")


if __name__ == "__main__":
    main()
