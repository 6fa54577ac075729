"""Check that all compose files are valid: `python -m tests.support.compose_config`."""

from __future__ import annotations

from dataclasses import replace

from infra import compose, images, probe, settings


def main() -> None:
    """Let compose read its files: with DEV_MODE, as on a host, and as a release's throw-away service."""
    ours = settings.load()
    production = replace(ours, dev_mode=False)
    for chosen in (replace(ours, dev_mode=True), production, probe.settings_of(production)):
        named = " and ".join(compose.files(chosen))
        compose.run(chosen, images.tags(ours), "config", "--quiet", what=f"Invalid: {named}")


if __name__ == "__main__":
    main()
