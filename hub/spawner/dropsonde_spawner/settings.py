"""The spawner's settings: what the operator may configure, and what differs from DockerSpawner's defaults."""

import asyncio
from typing import Any, ClassVar

from dockerspawner import DockerSpawner
from traitlets import Dict, Int, List, TraitError, Unicode, default, validate

from . import hostconfig, naming, records
from .engine import Engine


class SpawnerSettings(DockerSpawner):  # type: ignore[misc]  # dockerspawner has no types
    """DockerSpawner with this project's settings, names, home and connection to the engine."""

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

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up what the hub's database knows of this server."""
        super().load_state(state)
        self._home = records.recorded_home([state])

    def get_state(self) -> dict[str, Any]:
        """Return what the hub's database shall know: unlike the container, account and home outlive a stop."""
        return {**super().get_state(), **(self._home.state() if self._home else {})}
