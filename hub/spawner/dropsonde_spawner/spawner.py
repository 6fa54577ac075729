"""The spawner itself: DockerSpawner with true stages, quick readiness, and homes that belong to one account."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, ClassVar
from urllib.parse import urlunsplit

from docker.errors import APIError, DockerException, NotFound
from dockerspawner import DockerSpawner  # type: ignore[import-untyped]
from jupyterhub.utils import (  # type: ignore[import-untyped]
    fmt_ip_url,
    recursive_update,
    url_path_join,
)
from requests.exceptions import RequestException
from traitlets import Dict, Int, List, TraitError, Unicode, default, validate

from . import container, failures, homes, labels, logtail, naming, records, stages
from .engine import Engine
from .failures import SpawnFailure
from .readiness import PACE, wait_for_answer

CONFLICT = 409
# Seconds between two looks whether a starting container is still alive; more where many are starting.
DEATH_WATCH = 0.5
# Seconds between two tries to reach an engine that does not answer while the hub starts.
ENGINE_RETRY = 1.0
# Seconds that reading a failed container's log may take, within the time that JupyterHub gives a start.
LOG_TIMEOUT = 2.0
# Seconds that a restarted hub waits for a server in this way before it goes on in JupyterHub's.
TAKE_UP_TIMEOUT = 10.0
# Seconds that a stop waits for a start call that the engine has not answered yet.
SETTLE_TIMEOUT = 30.0
REMOVAL_TRIES = 50
REMOVAL_INTERVAL = 0.2


class DropsondeSpawner(DockerSpawner):  # type: ignore[misc]  # dockerspawner has no types
    """One container a user, started from one image, with the account's own home volume.

    A start ends as soon as the server answers, so that JupyterHub's own check succeeds at its first try. Containers are
    removed by `stop` and by the next start, never by the engine: one that ended by itself keeps its log until then.
    """

    service_name = Unicode(
        "dropsonde", help="Prefix of all names, and the label by which the service knows its own."
    ).tag(config=True)
    science_volume = Unicode("", help="Volume that everybody sees on /opt, read-only; empty for none.").tag(config=True)
    data_mounts = List(
        Dict(),
        help="The site's data: a list of {'source': path or volume, 'target': path, 'read_only': true}.",
    ).tag(config=True)
    home_driver = Unicode("local", help="Volume driver of new home volumes.").tag(config=True)
    home_driver_options = Dict(
        value_trait=Unicode(), key_trait=Unicode(), help="The driver's options for new home volumes."
    ).tag(config=True)
    pids_limit = Int(2048, min=64, help="Greatest number of processes and threads of a user.").tag(config=True)
    # The engine's 64 MB are too little for frameworks whose workers exchange arrays there.
    shm_size = Unicode("256m", help="Size of /dev/shm, with a unit; what is in it counts as memory.").tag(config=True)
    stop_timeout = Int(10, min=0, help="Seconds that a server gets to end before it is killed.").tag(config=True)
    engine_threads = Int(16, min=1, help="Docker calls that run at the same time, quick and slow ones each.").tag(
        config=True
    )

    _engine: ClassVar[Engine | None] = None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._stages = stages.Stages()
        self._starting = False
        self._unanswered: asyncio.Future[Any] | None = None
        self._reported = ""
        self._engine_away = False

    # -- Defaults that differ from DockerSpawner's ---------------------------------------------------------------------

    @default("prefix")
    def _prefix_default(self) -> str:
        return str(self.service_name)

    @default("object_name")
    def _object_name_default(self) -> str:
        return naming.shorten(super()._object_name_default(), naming.OBJECT_NAME_LIMIT)

    @default("remove")
    def _remove_default(self) -> bool:
        # What is to be kept is on volumes; a new container has the present image, settings and token.
        return True

    @default("pull_policy")
    def _pull_policy_default(self) -> str:
        # Images are built or loaded by `invoke build`; a pull in a start would hide that one is missing.
        return "never"

    @validate("data_mounts")
    def _validate_data_mounts(self, proposal: Any) -> Any:
        try:
            _ = [container.DataMount.parse(entry) for entry in proposal.value]
        except ValueError as error:
            raise TraitError(str(error)) from None
        return proposal.value

    # -- The engine ----------------------------------------------------------------------------------------------------

    @property
    def engine(self) -> Engine:
        """The connection to the engine, one for all users."""
        cls = type(self)
        if cls._engine is None:
            cls._engine = Engine(self.engine_threads, dict(self.client_kwargs))
        return cls._engine

    @property
    def client(self) -> Any:
        """The Docker client; DockerSpawner's own is made for one thread."""
        return self.engine.client

    def docker(self, method: str, *args: Any, **kwargs: Any) -> "asyncio.Future[Any]":
        """Call a method of the Docker client on a thread and return its result."""
        return self.engine.call(method, *args, **kwargs)

    async def get_object(self) -> dict[str, Any] | None:
        """Return the user's container as the engine shows it, None where there is none of ours.

        Raises:
            APIError: the engine is in trouble; unlike DockerSpawner's, a 500 does not mean that there is none.
        """
        found = await self._inspect()
        mine = found is not None and self._is_mine(found)
        self.object_id = found["Id"] if found is not None and mine else ""
        return found if mine else None

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

    # -- Account and home ----------------------------------------------------------------------------------------------

    _home: records.Home | None = None

    @property
    def home(self) -> records.Home:
        """The account and its home volume: the same for all of its servers, and after it was renamed."""
        if self._home is None:
            record = self.user.orm_user
            states = [server.state for server in record.orm_spawners.values()]
            self._home = records.home_of(self.service_name, self.user.name, record.id, record.created, states)
        return self._home

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up what the hub's database knows of this server."""
        super().load_state(state)
        self._home = records.recorded_home([state])

    def get_state(self) -> dict[str, Any]:
        """Return what the hub's database shall know: unlike the container, account and home outlive a stop."""
        return {**super().get_state(), **(self._home.state() if self._home else {})}

    def clear_state(self) -> None:
        """Forget the server that ended; account and home stay."""
        super().clear_state()
        self.object_id = ""
        self.object_name = self._object_name_default()
        self._stages.close()
        self._stages = stages.Stages()

    # -- What the container is given -----------------------------------------------------------------------------------

    @property
    def mount_binds(self) -> list[Any]:
        """All mounts; the operator's own `DockerSpawner.mounts` come last."""
        data = [container.DataMount.parse(entry) for entry in self.data_mounts]
        return container.mounts(self.home.volume, self.science_volume, data) + list(super().mount_binds)

    async def create_object(self) -> dict[str, Any]:
        """Create the user's container.

        Like DockerSpawner's, with our settings below the operator's `extra_host_config` and `extra_create_kwargs`.
        """
        extra_host = self._render_templates(await self._extra(self.extra_host_config))
        host = container.host_settings(
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
        if not self.use_internal_ip:
            host["port_bindings"] = {self.port: (self.host_ip,)}
        recursive_update(host, extra_host)
        settings: dict[str, Any] = {
            "image": self.image,
            "command": await self.get_command(),
            "name": self.object_name,
            "hostname": naming.host_name(self.object_name),
            "environment": self.get_env(),
            "labels": labels.notebook_labels(self.service_name, self.user.name, self.home.account, self.name),
            "ports": {f"{self.port}/tcp": None},
            "volumes": self.volume_mount_points,
        }
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

    # -- Start ---------------------------------------------------------------------------------------------------------

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Yield the stages of the start, from the first one on, to every page that watches."""
        watched = None
        while watched is not self._stages:
            watched = self._stages  # a new list begins with the start itself, after the page may have come
            async for event in watched.watch():
                yield event

    async def start(self) -> tuple[str, int]:
        """Start the user's server and return when it answers.

        Returns:
            Its address and port.

        Raises:
            SpawnFailure: with a reason that the user can read; the container's last lines are in the hub's log.
        """
        if not self._stages.fresh:
            self._stages = stages.Stages()
        reached = self._stages
        self._starting = True
        # JupyterHub cancels a start at its own limit without a word to the user: be earlier, with time for the log.
        limit = self.start_timeout - min(LOG_TIMEOUT + 1, self.start_timeout / 10)
        try:
            try:
                async with asyncio.timeout(limit):
                    return await self._start(reached)
            except TimeoutError:
                raise failures.timed_out(limit, reached.last) from None
            except (DockerException, RequestException) as error:
                raise failures.from_engine(error, reached.last) from error
        except SpawnFailure as failure:
            self._reported = self.object_id
            await self._log_tail(f"{self._log_name} did not start: {failure.log_message}")
            raise
        finally:
            self._starting = False
            reached.close()

    async def _start(self, reached: stages.Stages) -> tuple[str, int]:
        if "image" in self.user_options:
            # DockerSpawner would refuse this start and, as JupyterHub keeps the options, all that follow.
            self.log.warning("%s asked for an image of their own; there is no choice of images", self._log_name)
        reached.reach(stages.HOME)
        await asyncio.gather(self._require_image(), self._prepare_home(), self._require_volumes())
        await self._replace_leftover()
        created = await self._create()
        self.object_id = created["Id"]
        reached.reach(stages.CREATED)
        await self._answered("start", self.object_id)
        reached.reach(stages.STARTED)
        if self.post_start_cmd:
            await self.post_start_exec()
        ip, port = await self.get_ip_and_port()
        reached.reach(stages.WAITING)
        await self._wait_until_ready(ip, port)
        reached.reach(stages.READY)
        return ip, port

    async def _require_image(self) -> None:
        try:
            await self.pull_image(self.image)
        except NotFound:
            raise failures.image_missing(self.image) from None

    async def _prepare_home(self) -> None:
        wanted = labels.home_labels(self.service_name, self.user.name, self.home.account)
        if await homes.ensure_home(self.docker, self.home.volume, wanted, self.home_driver, self.home_driver_options):
            self.log.info("Created home volume %s for %s", self.home.volume, self.user.name)

    async def _require_volumes(self) -> None:
        """Make sure that configured volumes are there: the engine would create empty ones without a word."""
        wanted = [container.DataMount.parse(entry) for entry in self.data_mounts]
        if self.science_volume:
            wanted.append(container.DataMount(self.science_volume, container.SCIENCE))
        for mount in wanted:
            if mount.is_volume:
                try:
                    await self.docker("inspect_volume", mount.source)
                except NotFound:
                    raise failures.volume_missing(mount.source, mount.target) from None

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
            return await self.create_object()

    async def _wait_until_ready(self, ip: str, port: int) -> None:
        """Return when the server answers, fail when its container ends."""
        # With internal TLS the hub's own check speaks to the server; an open port is what can be seen here.
        path = None if self.internal_ssl else url_path_join(self.server.base_url, "api")
        answer = asyncio.create_task(wait_for_answer(ip, port, path))
        death = asyncio.create_task(self._watch_for_death())
        try:
            await asyncio.wait({answer, death}, return_when=asyncio.FIRST_COMPLETED)
            (answer if answer.done() else death).result()
        finally:
            answer.cancel()
            death.cancel()
            await asyncio.gather(answer, death, return_exceptions=True)

    async def _watch_for_death(self) -> None:
        """Raise SpawnFailure when the container has ended."""
        while True:
            await asyncio.sleep(DEATH_WATCH * max(1.0, PACE.waiting / 10))
            try:
                found = await self._inspect()
            except Exception as error:
                if not failures.is_engine_trouble(error):
                    raise
                continue
            if found is None:
                raise SpawnFailure("Your notebook server's container was removed.", failures.AGAIN, reason="removed")
            if not found["State"]["Running"]:
                raise failures.died(found["State"], readable_size(self.mem_limit))

    # -- Running -------------------------------------------------------------------------------------------------------

    async def poll(self) -> int | None:
        """Say whether the server runs.

        An engine that does not answer says nothing about the server: then it is what the hub believes it to be.

        Returns:
            None while it runs or starts, else the container's exit code (0 where there is none).
        """
        if self._starting or (self._unanswered is not None and not self._unanswered.done()):
            return None
        while True:
            try:
                found = await self.get_object()
                break
            except Exception as error:
                if not failures.is_engine_trouble(error):
                    raise
                # Once for each time that it goes away: polls are many.
                log = self.log.debug if self._engine_away else self.log.warning
                log("The engine does not answer for %s: %s", self._log_name, error)
                self._engine_away = True
                if not self._check_pending:
                    return None if self.server else 0
                # The hub has just started: what it takes for stopped now, it forgets. Nothing can be started meanwhile.
                await asyncio.sleep(ENGINE_RETRY)
        self._engine_away = False
        if found is None:
            return 0
        if found["State"]["Running"]:
            await self._follow_address(found)
            return None
        if self.server and self._reported != found["Id"] and found["State"].get("ExitCode"):
            self._reported = found["Id"]
            ended = failures.died(found["State"], readable_size(self.mem_limit))
            await self._log_tail(f"The server of {self._log_name} has ended: {ended.log_message}")
        return int(found["State"].get("ExitCode") or 0)

    async def get_url(self) -> str:
        """Return where the server is now, which may be elsewhere than where it was started.

        JupyterHub asks when it takes up servers that run (`app.check_spawner`) and would fail on an error.
        """
        try:
            found = await self.get_object()
        except Exception as error:
            if not failures.is_engine_trouble(error):
                raise
            found = None
        address = self._address(found) if found else None
        if address is None:
            return str(self.server.url)
        if self._check_pending:
            # The hub may have been killed in the middle of a start: be as quick as the start would have been.
            with suppress(SpawnFailure, TimeoutError):
                async with asyncio.timeout(TAKE_UP_TIMEOUT):
                    await self._wait_until_ready(*address)
        host = f"{fmt_ip_url(address[0])}:{address[1]}"
        return str(urlunsplit((self.server.proto, host, self.server.base_url, "", "")))

    async def get_ip_and_port(self) -> tuple[str, int]:
        """Return the server's address and port as the engine knows them.

        Raises:
            SpawnFailure: the container has no address.
        """
        found = await self._inspect()
        if found is not None and not found["State"]["Running"]:
            raise failures.died(found["State"], readable_size(self.mem_limit))
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

    async def _follow_address(self, found: dict[str, Any]) -> None:
        """Tell the hub and its proxy where a running server went, as after a reconnected network."""
        address = self._address(found)
        if address is None or not self.ready or address == (self.server.ip, self.server.port):
            return
        self.log.warning("%s has moved from %s:%s to %s:%s", self._log_name, self.server.ip, self.server.port, *address)
        self.server.ip, self.server.port = address
        await self.user.settings["proxy"].add_user(self.user, self.name)

    # -- Stop ----------------------------------------------------------------------------------------------------------

    async def stop(self, now: bool = False) -> None:
        """Stop the server and remove its container; the home stays.

        Args:
            now: do not wait for the server to end by itself.
        """
        if self._unanswered is not None and not self._unanswered.done():
            await asyncio.wait([self._unanswered], timeout=SETTLE_TIMEOUT)
        found = await self.get_object()
        if found is not None:
            self.log.info("Stopping container %s", self.object_name)
            try:
                await self.docker("stop", found["Id"], timeout=0 if now else self.stop_timeout)
            except NotFound:
                self.log.debug("Container %s was already removed", self.object_name)
            if self.remove:
                await self._remove(found["Id"])
        self.clear_state()

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

    async def delete_forever(self) -> None:
        """Remove what is left of a server whose user or name is deleted; homes are for `invoke users` to remove."""
        found = await self.get_object()
        if found is not None:
            await self._remove(found["Id"])

    async def rename(self, old_name: str, new_name: str) -> None:
        """Remove the ended container of the old name: nothing would look for it any more."""
        self.log.debug("%s is renamed from %r to %r", self._log_name, old_name, new_name)
        await self.delete_forever()

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
