"""The spawner itself: DockerSpawner with true stages, quick readiness, and homes that belong to one account."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlunsplit

from docker.errors import DockerException, NotFound
from jupyterhub.utils import fmt_ip_url, url_path_join
from requests.exceptions import RequestException

from . import failures, stages
from .containers import LOG_TIMEOUT, ContainerSpawner
from .failures import SpawnFailure
from .readiness import PACE, wait_for_answer

# Seconds between two looks whether a starting container is still alive; more where many are starting.
DEATH_WATCH = 0.5
# Seconds between two tries to reach an engine that does not answer while the hub starts.
ENGINE_RETRY = 1.0
# Seconds between the tries to stop a container with an engine in trouble.
STOP_RETRIES = (0.5, 2.0, 5.0)
# Seconds that a restarted hub waits for a server in this way before it goes on in JupyterHub's.
TAKE_UP_TIMEOUT = 10.0


class DropsondeSpawner(ContainerSpawner):
    """One container a user, started from one image, with the account's own home volume.

    A start ends as soon as the server answers, so that JupyterHub's own check succeeds at its first try. Containers are
    removed by `stop` and by the next start, never by the engine: one that ended by itself keeps its log until then.
    """

    stop_failed = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._stages = stages.Stages()
        self._starting = False
        self._reported = ""
        self._engine_away = False

    def clear_state(self) -> None:
        """Forget the server that ended; account and home stay."""
        super().clear_state()
        self.version = ""
        self.object_id = ""
        self.object_name = self._object_name_default()
        self._stages.close()
        self._stages = stages.Stages()

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
        await self._require_space()
        self._use_profile()
        self._use_next_version()
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
                raise self._death(found)

    # -- Running -------------------------------------------------------------------------------------------------------

    async def poll(self) -> int | None:
        """Say whether the server runs.

        An engine that does not answer says nothing about the server: then it is what the hub believes it to be.

        Returns:
            None while it runs or starts, else the container's exit code (0 where there is none).
        """
        if self._starting or self._unsettled:
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
        if found["State"]["Running"] and not self.cleanup_is_over:
            self._watch_home()
            await self._follow_address(found)
            return None
        if found["State"]["Running"]:
            self.log.info("The time of %s, started to delete files, is over", self._log_name)
            await self.end_container()
            return 0
        if self.server and self._reported != found["Id"] and found["State"].get("ExitCode"):
            self._reported = found["Id"]
            ended = self._death(found)
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

    async def _follow_address(self, found: dict[str, Any]) -> None:
        """Tell the hub and its proxy where a running server went, as after a reconnected network."""
        address, known = self._address(found), (self.server.ip, self.server.port) if self.ready else ("", 0)
        if address is None or not known[0] or address == known:
            return
        self.log.warning("%s has moved from %s:%s to %s:%s", self._log_name, *known, *address)
        self.server.ip, self.server.port = address
        try:
            await self.user.settings["proxy"].add_user(self.user, self.name)
        except Exception:
            # The hub's own check (JupyterHub.proxy_check_interval) compares routes with the address that it has now.
            self.log.exception("The proxy was not told of %s", self._log_name)

    # -- Stop ----------------------------------------------------------------------------------------------------------

    async def stop(self, now: bool = False) -> None:
        """Stop the server and remove its container; the home stays.

        JupyterHub forgets the server even if this fails. Therefore an engine that is in trouble is asked again for a
        while, and `stop_failed` says what became of it.

        Args:
            now: do not wait for the server to end by itself.
        """
        await self._settled()
        self.stop_failed = True
        for pause in (*STOP_RETRIES, None):
            try:
                await self.end_container(now=now)
                break
            except Exception as error:
                if pause is None or not failures.is_engine_trouble(error):
                    raise
                self.log.warning("The engine could not stop %s: %s", self.object_name, error)
                await asyncio.sleep(pause)
        self.stop_failed = False
        self.clear_state()

    async def end_container(self, *, now: bool = False) -> bool:
        """Stop and remove the user's container if the engine has one, whatever the hub knows of it.

        Args:
            now: do not wait for the server to end by itself.

        Returns:
            Whether it ran.
        """
        found = await self.get_object()
        if found is None:
            return False
        ran = bool(found["State"]["Running"])
        self.log.info("Stopping container %s", self.object_name)
        # A server that never got ready has nothing to save, and its user waits for the reason.
        now = now or found["Id"] == self._reported
        try:
            await self.docker("stop", found["Id"], timeout=0 if now else self.stop_timeout)
        except NotFound:
            self.log.debug("Container %s was already removed", self.object_name)
        if self.remove:
            await self._remove(found["Id"])
        return ran

    async def delete_forever(self) -> None:
        """Remove what is left of a server whose user or name is deleted; homes are for `invoke users` to remove."""
        found = await self.get_object()
        if found is not None:
            await self._remove(found["Id"])

    async def rename(self, old_name: str, new_name: str) -> None:
        """Remove the ended container of the old name: nothing would look for it any more."""
        self.log.debug("%s is renamed from %r to %r", self._log_name, old_name, new_name)
        await self.delete_forever()
