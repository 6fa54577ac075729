"""What a cloud says when it refuses, and what to do then."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from infra.errors import ConfigError, DropsondeError

# The first pattern that fits decides. Clouds are of many releases, and only their sentences tell these cases apart.
CASES: tuple[tuple[str, str, str], ...] = (
    (
        r"requires authentication|HTTP 401|\(401\)|Could not recognize Fernet token|Failed to validate token",
        "The cloud does not take the credentials: they are wrong, or have expired.",
        "Put new ones into clouds.yaml. An application credential (openstack application credential create NAME) does "
        "not end with a session as a token does.",
    ),
    (
        r"[Qq]uota exceeded|exceeds allowed.*quota|VolumeLimitExceeded|VolumeSizeExceedsAvailableQuota|over quota",
        "The project's quota in the cloud is used up.",
        "Delete what nobody needs in this project, take a smaller openstack_flavor or openstack_data_gb, or ask the "
        "cloud's operators for more; then run this again.",
    ),
    (
        r"No more IP addresses|IpAddressGenerationFailure|ExternalIpAddressExhausted|No more floating",
        "The cloud has no floating IP left.",
        "Release one that nobody uses (openstack floating ip list --status DOWN), name another "
        "openstack_external_network, or ask the cloud's operators; then run this again.",
    ),
    (
        r"External network \S+ is not reachable from subnet",
        "The server's network has no way to the external network.",
        "Give the network a router (openstack router create, set --external-gateway, add subnet), or name another "
        "openstack_network.",
    ),
    (
        r"No valid host was found|exhausted all hosts|not enough hosts available",
        "The cloud has no room for such a server at present.",
        "Run this again later, or take a smaller openstack_flavor.",
    ),
    (
        r"Policy doesn't allow|HTTP 403|\(403\)|disallowed by policy",
        "The cloud does not allow that in this project.",
        "Ask the project's owner for the role member, or check which project clouds.yaml names.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSL exception",
        "The cloud's certificate is not trusted.",
        "Name its certificate authority in clouds.yaml: cacert: /path/to/ca.pem",
    ),
    (
        r"[Uu]nable to establish connection|Failed to contact the endpoint|Connection refused|Connection failure"
        r"|[Nn]ame or service not known|Could not find versioned identity",
        "The cloud does not answer.",
        "Check the network, and auth_url in clouds.yaml; then run this again.",
    ),
    (
        r"[Tt]imeout waiting for|[Tt]imed out",
        "The cloud was too slow.",
        "Run this again: it goes on where it stopped. If it stays so, ask the cloud's operators.",
    ),
)


def explain(text: str, what: str = "The cloud refused.") -> DropsondeError:
    """Return what a cloud has said as an error in three parts.

    Args:
        text: Its words, or those of openstacksdk.
        what: What failed, if the words say nothing that we know.
    """
    seen = re.sub(r"\s*\(HTTP \d+\) \(Request-ID: \S+\)", "", text.strip())
    for pattern, meaning, next_step in CASES:
        if re.search(pattern, text):
            return DropsondeError(meaning, seen=seen, next_step=next_step)
    return DropsondeError(
        what, seen=seen, next_step="Mend what the cloud names, then run this again: it goes on there."
    )


def _unknown_cloud(cloud: str, text: str) -> ConfigError:
    import openstack.config

    names: list[str] = []
    with suppress(Exception):  # of a file that cannot be read, the message below says enough
        names = sorted(openstack.config.OpenStackConfig().get_cloud_names())
    known = f"clouds.yaml has: {', '.join(names)}" if names else "No clouds.yaml was found, or it is empty."
    return ConfigError(
        f"There are no credentials for a cloud called {cloud}.",
        seen=f"{text}\n{known}" if text else known,
        next_step="Correct openstack_cloud, or put clouds.yaml of your cloud's dashboard into ~/.config/openstack/.",
    )


def no_service() -> tuple[type[Exception], ...]:
    """Return the exceptions of openstacksdk, and of what it signs in with, that say: this cloud has no such service."""
    from keystoneauth1.exceptions import EndpointNotFound
    from openstack.exceptions import EndpointNotFound as NotInCatalog
    from openstack.exceptions import ServiceDisabledException

    return (EndpointNotFound, NotInCatalog, ServiceDisabledException)


@contextmanager
def translated(what: str, *, cloud: str = "") -> Iterator[None]:
    """Turn every error of openstacksdk into one of ours.

    Args:
        what: What fails if something here fails.
        cloud: The entry of clouds.yaml, where one is opened.
    """
    from keystoneauth1.exceptions import ClientException
    from openstack.exceptions import ConfigException, SDKException

    try:
        yield
    except (SDKException, ClientException) as error:
        if cloud and isinstance(error, ConfigException):
            raise _unknown_cloud(cloud, str(error)) from error
        raise explain(str(error), what) from error
