"""Run a small program beside our volumes: a short-lived container without a network."""

from __future__ import annotations

from infra.settings import Settings


def command(settings: Settings, image: str, *mounts: str, user: str = "root") -> list[str]:
    """Return the start of a command line that runs a program of an image.

    Args:
        settings: Whose label the container gets.
        image: The image it runs in.
        mounts: Volumes, as `docker run --volume` expects them.
        user: Whom it runs as.
    """
    volumes = [f"--volume={mount}" for mount in mounts]
    labels = [f"--label={key}={value}" for key, value in settings.labels("tool").items()]
    run = ["docker", "run", "--rm", "--pull=never", "--interactive", "--network=none", f"--user={user}"]
    # What it prints is read here; the engine would write all of it into a log as well.
    return [*run, "--log-driver=none", *labels, *volumes, image]
