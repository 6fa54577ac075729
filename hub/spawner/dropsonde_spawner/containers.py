"""A user's container on the engine: find, create, look at and remove it. When to do so is the spawner's business."""

import asyncio
from typing import Any

from docker.errors import APIError, NotFound
from jupyterhub.utils import recursive_update

from . import failures, homes, hostconfig, labels, logtail, naming
from .failures import SpawnFailure
from .limits import LimitedSpawner
from .profiles import DEFAULT

CONFLICT = 409
# Seconds that reading a failed container's log may take, within the time that JupyterHub gives a start.
LOG_TIMEOUT = 2.0
# Seconds that a stop waits for a start call that the engine has not answered yet.
SETTLE_TIMEOUT = 30.0
# Tries, and seconds between them, to remove a container whose removal somebody else has begun.
REMOVAL_TRIES = 50
REMOVAL_INTERVAL = 0.2


class ContainerSpawner(LimitedSpawner):
    """The calls about one user's container."""

    _unanswered: "asyncio.Future[Any] | None" = None

    async def get_object(self) -> dict[str, Any] | None:
        """Return the user's container as the engine shows it, None where there is none of ours.

        Raises:
            APIError: the engine is in trouble; unlike DockerSpawner's, a 500 does not mean that there is none.
        """
        found = await self._inspect()
        mine = found is not None and self._is_mine(found)
        if found is None or not mine:
            self.object_id = ""
            return None
        self.object_id = found["Id"]
        # The label knows better than the hub's database, which a hub that was killed in a start has not written yet.
        known = labels.container_labels(found)
        self.version = known.get(labels.VERSION, "")
        self.profile_name = known.get(labels.PROFILE, DEFAULT)
        return found

    async def _inspect(self) -> dict[str, Any] | None:
        """Return whatever container has the user's name."""
        try:
            found: dict[str, Any] = await self.docker("inspect_container", self.object_name)
        except NotFound:
            return None
        return found

    def _is_mine(self, found: dict[str, Any]) -> bool:
        # A user name that is used again may meet a container of the account that had it before.
        mine = labels.is_notebook_of(found, self.service_name)
        return mine and labels.container_labels(found).get(labels.ACCOUNT) == self.home.account

    # -- Before its creation -------------------------------------------------------------------------------------------

    async def _require_image(self) -> None:
        try:
            await self.pull_image(self.image)
        except NotFound:
            raise failures.image_missing(self.image, self.version) from None

    async def _prepare_home(self) -> None:
        wanted = labels.home_labels(self.service_name, self.user.name, self.home.account)
        if await homes.ensure_home(self.docker, self.home.volume, wanted, self.home_driver, self.home_driver_options):
            self.log.info("Created home volume %s for %s", self.home.volume, self.user.name)

    async def _require_volumes(self) -> None:
        """Make sure that configured volumes are there: the engine would create empty ones without a word."""
        wanted = hostconfig.parse_mounts(self.data_mounts)
        if self.science_volume:
            wanted.append(hostconfig.DataMount(self.science_volume, hostconfig.SCIENCE))
        for mount in wanted:
            if mount.is_volume:
                try:
                    await self.docker("inspect_volume", mount.source)
                except NotFound:
                    part_of = self.version if mount.target == hostconfig.SCIENCE else ""
                    raise failures.volume_missing(mount.source, mount.target, part_of) from None

    async def _replace_leftover(self) -> None:
        """Remove a container of ours that has the user's name: one that ended, or that a killed hub left behind.

        It is not used again: its token may be revoked, and its image and settings may be older than ours.
        """
        found = await self._inspect()
        if found is None:
            return
        if not labels.is_notebook_of(found, self.service_name):
            raise failures.name_taken(self.object_name)
        self.log.warning("Replacing the leftover container %s (%s)", self.object_name, found["State"].get("Status"))
        if found["State"].get("Running"):
            await self.docker("stop", found["Id"], timeout=self.stop_timeout)
        await self._remove(found["Id"])

    async def _create(self) -> dict[str, Any]:
        try:
            return await self.create_object()
        except APIError as error:
            if error.status_code != CONFLICT:
                raise
            # A call of an abandoned start was carried out only now.
            await self._replace_leftover()
        try:
            return await self.create_object()
        except APIError as error:
            if error.status_code != CONFLICT:
                raise
            # The guard shows no container of others, and the engine has one of this name.
            raise failures.name_taken(self.object_name) from error

    # -- What the container is given -----------------------------------------------------------------------------------

    @property
    def mount_binds(self) -> list[Any]:
        """All mounts; the operator's own `DockerSpawner.mounts` come last."""
        data = hostconfig.parse_mounts(self.data_mounts)
        return hostconfig.mounts(self.home.volume, self.science_volume, data) + list(super().mount_binds)

    async def create_object(self) -> dict[str, Any]:
        """Create the user's container.

        Like DockerSpawner's, with our settings below the operator's `extra_host_config` and `extra_create_kwargs`.
        """
        extra_host = self._render_templates(await self._extra(self.extra_host_config))
        host = hostconfig.host_settings(
            mounts=self.mount_binds,
            binds=self.volume_binds,
            network=self.network_name,
            pids_limit=self.pids_limit,
            shm_size=self.shm_size,
            memory=self.mem_limit,
            cpus=self.cpu_limit,
            links=self.links,
            cpu_period=extra_host.get("cpu_period", 100_000),
        )
        recursive_update(host, extra_host)
        settings = hostconfig.container_settings(
            name=self.object_name,
            host_name=naming.host_name(self.object_name),
            image=self.image,
            command=await self.get_command(),
            environment={**self.get_env(), **({"DROPSONDE_VERSION": self.version} if self.version else {})},
            labels=labels.notebook_labels(
                self.service_name, self.user.name, self.home.account, self.name, self.version, self.profile_name
            ),
        )
        if not self.use_internal_ip:
            settings["ports"] = {f"{self.port}/tcp": None}
            host.setdefault("port_bindings", {self.port: (self.host_ip,)})
        if self.volume_mount_points:
            settings["volumes"] = self.volume_mount_points
        recursive_update(settings, self._render_templates(await self._extra(self.extra_create_kwargs)))
        settings["host_config"] = self.client.create_host_config(**host)
        created: dict[str, Any] = await self._answered("create_container", **settings)
        return created

    async def _extra(self, value: Any) -> dict[str, Any]:
        """Return one of DockerSpawner's settings that may be a function, or an asynchronous one."""
        value = self._eval_if_callable(value)
        return dict((await value if asyncio.iscoroutine(value) else value) or {})

    async def _answered(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Make a call that changes something.

        When the start is cancelled the engine still carries it out: `poll` and `stop` know of it and wait for it, or
        the container would run on with nobody knowing of it.
        """
        self._unanswered = self.docker(method, *args, **kwargs)
        return await asyncio.shield(self._unanswered)

    @property
    def _unsettled(self) -> bool:
        """Whether the engine has still to carry out a call."""
        return self._unanswered is not None and not self._unanswered.done()

    async def _settled(self) -> None:
        """Return when the engine has carried out all calls, or takes too long."""
        if self._unanswered is not None and not self._unanswered.done():
            await asyncio.wait([self._unanswered], timeout=SETTLE_TIMEOUT)

    async def get_ip_and_port(self) -> tuple[str, int]:
        """Return the server's address and port as the engine knows them.

        Raises:
            SpawnFailure: the container has no address.
        """
        found = await self._inspect()
        if found is not None and not found["State"]["Running"]:
            raise self._death(found)
        address = self._address(found) if found else None
        if address is None:
            raise SpawnFailure(
                "Your notebook server has no address.",
                failures.AGAIN,
                reason="address",
                detail=f"container {self.object_name} is not on network {self.network_name}",
            )
        return address

    def _address(self, found: dict[str, Any]) -> tuple[str, int] | None:
        """Return the address of a container as the engine shows it, None where it has none."""
        if self.use_internal_hostname:
            return self.internal_hostname, self.port
        network = found["NetworkSettings"]
        if self.use_internal_ip:
            ip = (network["Networks"].get(self.network_name) or {}).get("IPAddress")
            return (ip, self.port) if ip else None
        published = (network.get("Ports") or {}).get(f"{self.port}/tcp") or []
        return (self.host_ip, int(published[0]["HostPort"])) if published else None

    async def _remove(self, container_id: str) -> None:
        """Remove a container and return when it is gone, so that its name is free."""
        for _ in range(REMOVAL_TRIES):
            try:
                # v: the volumes without a name that an image may declare. force: one that could not be stopped.
                await self.docker("remove_container", container_id, v=True, force=True)
            except NotFound:
                return
            except APIError as error:
                if error.status_code != CONFLICT:
                    raise
                await asyncio.sleep(REMOVAL_INTERVAL)  # somebody else's removal is under way
            else:
                return
        raise SpawnFailure(
            "The container of your last notebook server could not be removed.", failures.OPERATOR, reason="leftover"
        )

    def _death(self, found: dict[str, Any]) -> SpawnFailure:
        """Return why a container that the engine shows has ended."""
        return failures.died(found["State"], readable_size(self.mem_limit))

    async def _log_tail(self, headline: str) -> None:
        """Log what became of a container with its last lines, without secrets; never fails."""
        lines: list[str] = []
        try:
            async with asyncio.timeout(LOG_TIMEOUT):
                found = await self.get_object()
                if found is not None:
                    written = await self.docker("logs", found["Id"], stdout=True, stderr=True, tail=logtail.LINES)
                    lines = logtail.tail(written, found["Config"]["Env"] or [])
        except Exception as error:  # noqa: BLE001  # the reason for which we are here matters more
            lines = [f"(no log: {error!r})"]
        self.log.error("%s", "\n    ".join([headline, *(lines or ["(nothing in the container's log)"])]))


def readable_size(size: int | None) -> str:
    """Return a number of bytes as people write it (`2G`), an empty text for no limit."""
    if not size:
        return ""
    for unit, factor in (("T", 1 << 40), ("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)):
        if size >= factor:
            return f"{size / factor:.3g}{unit}"
    return str(size)
