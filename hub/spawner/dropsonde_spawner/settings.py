"""The spawner's settings: what the operator may configure, and what differs from DockerSpawner's defaults."""

import asyncio
from typing import Any, ClassVar

from dockerspawner import DockerSpawner
from traitlets import Dict, Int, List, TraitError, Unicode, default, validate

from . import hostconfig, naming, records, versions
from .engine import Engine
from .failures import SpawnFailure


class SpawnerSettings(DockerSpawner):  # type: ignore[misc]  # dockerspawner has no types
    """DockerSpawner with this project's settings, names, home and connection to the engine."""

    service_name = Unicode(
        "dropsonde", help="Prefix of all names, and the label by which the service knows its own."
    ).tag(config=True)
    science_volume = Unicode("", help="Volume that everybody sees on /opt, read-only; empty for none.").tag(config=True)
    versions_file = Unicode(
        "", help="File that says which image and science volume an account's next server has; empty: the settings."
    ).tag(config=True)
    data_mounts = List(
        Dict(),
        help="The site's data: a list of {'source': path or volume, 'target': path, 'read_only': true}.",
    ).tag(config=True)
    home_driver = Unicode("local", help="Volume driver of new home volumes.").tag(config=True)
    home_driver_options = Dict(
        value_trait=Unicode(), key_trait=Unicode(), help="The driver's options for new home volumes."
    ).tag(config=True)
    pids_limit = Int(hostconfig.PIDS_LIMIT, min=64, help="Greatest number of processes and threads of a user.").tag(
        config=True
    )
    shm_size = Unicode(hostconfig.SHM_SIZE, help="Size of /dev/shm, with a unit; what is in it counts as memory.").tag(
        config=True
    )
    stop_timeout = Int(10, min=0, help="Seconds that a server gets to end before it is killed.").tag(config=True)
    engine_threads = Int(16, min=1, help="Docker calls that run at the same time, quick and slow ones each.").tag(
        config=True
    )

    _engine: ClassVar[Engine | None] = None

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
        # Images are built or loaded before; a pull within a start would take minutes and hide that one is missing.
        return "never"

    @validate("data_mounts")
    def _validate_data_mounts(self, proposal: Any) -> Any:
        try:
            hostconfig.parse_mounts(proposal.value)
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

    # -- Version of the libraries --------------------------------------------------------------------------------------

    # The running server's; empty where none runs, or without versions.
    version = ""

    def next_version(self) -> versions.Version | None:
        """Return the version that the account's next start will have, None without a `versions_file`.

        Raises:
            SpawnFailure: it cannot be said, or is not there any more.
        """
        return versions.chosen(self.versions_file, self.home.account) if self.versions_file else None

    @property
    def waiting_version(self) -> versions.Version | None:
        """The version that a running server would have after a stop and a start, None where that changes nothing."""
        try:
            found = self.next_version()
        except SpawnFailure:
            return None  # the next start explains it
        return found if found and self.version not in ("", found.id) else None

    def _use_next_version(self) -> None:
        """Make image and volume those of the next version."""
        found = self.next_version()
        if found:
            self.version, self.image, self.science_volume = found.id, found.image, found.volume

    # -- What the hub's database knows ---------------------------------------------------------------------------------

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up what the hub's database knows of this server."""
        super().load_state(state)
        self._home = records.recorded_home([state])
        self.version = state.get("version", "")

    def get_state(self) -> dict[str, Any]:
        """Return what the hub's database shall know: unlike container and version, account and home outlive a stop."""
        running = {"version": self.version} if self.version else {}
        return {**super().get_state(), **(self._home.state() if self._home else {}), **running}
