"""What a start is limited to: the size that its user chose, and the space that is left in their home."""

import time
from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy.orm import object_session
from traitlets import Dict, Int, Unicode, default

from . import failures
from .profiles import DEFAULT, Profile, smallest
from .settings import SpawnerSettings
from .usage import NEW_ENOUGH, Fullness, Usage

# Where the engine's guard says how much each home volume holds.
USAGE_PATH = "/dropsonde/usage"
# Seconds that a server runs that was started to delete files in a full home.
CLEANUP_SECONDS = 1800
# What the user may choose, and keeps as their choice.
PROFILE, CLEANUP = "profile", "cleanup"


class LimitedSpawner(SpawnerSettings):
    """The choice of a profile, and the quota of the home."""

    profiles = Dict(help="The sizes of servers by name, see `profiles.parse`; empty: mem_limit and cpu_limit.").tag(
        config=True
    )
    home_size = Int(0, min=0, help="Bytes that a home may hold before no new server starts in it; 0: any.").tag(
        config=True
    )
    home_check_seconds = Int(
        int(NEW_ENOUGH), min=1, help="Seconds from one look at the sizes of homes to the next."
    ).tag(config=True)
    contact = Unicode("", help="Whom people ask for more space.").tag(config=True)

    user_options: dict[str, Any]  # JupyterHub's
    _usage: ClassVar[Usage | None] = None
    # The name of the running server's limits.
    profile_name = DEFAULT
    # When a server ends that was started to delete files (seconds since 1970), 0 for any other one.
    cleanup_until = 0.0

    # -- The form ------------------------------------------------------------------------------------------------------

    @default("options_form")
    def _options_form_default(self) -> Any:
        return LimitedSpawner._form

    async def _form(self) -> str:
        """Say whether there is anything to ask; what is asked is in templates/parts/start_options.html."""
        await self._look_again()
        return "start_options" if self.offers_choice or self.home_is_full else ""

    @default("options_from_form")
    def _options_from_form_default(self) -> Any:
        return self.read_form

    def read_form(self, form: dict[str, list[Any]]) -> dict[str, Any]:
        """Return the user's options from the form, or from an address's query.

        Raises:
            SpawnFailure: there is no such profile.
        """
        options: dict[str, Any] = {name: value for name, value in form.items() if name not in (PROFILE, CLEANUP)}
        if form.get(CLEANUP):
            # The last choice is kept for the next start.
            return options | {PROFILE: self.last_choice, CLEANUP: True}
        if self.offers_choice:
            options[PROFILE] = self._checked((form.get(PROFILE) or [""])[-1])
        return options

    @default("apply_user_options")
    def _apply_user_options_default(self) -> Any:
        # `start` does, so that whoever made no choice reads what there is; the hub would log a warning otherwise.
        return lambda _spawner, _options: None

    @property
    def offers_choice(self) -> bool:
        """Whether there is more than one profile."""
        return len(self.profiles) > 1

    @property
    def last_choice(self) -> str:
        """The profile that was chosen the last time, or the first one; empty without profiles."""
        chosen = self.user_options.get(PROFILE)
        known = isinstance(chosen, str) and chosen in self.profiles
        return str(chosen) if known else next(iter(self.profiles), "")

    @property
    def running_profile(self) -> Profile | None:
        """The running server's profile where there is a choice; None where nobody chose anything."""
        return self.profiles.get(self.profile_name) if self.offers_choice else None

    def _checked(self, name: Any) -> str:
        if not isinstance(name, str) or name not in self.profiles:
            raise failures.profile_unknown(name, self.profiles)
        return name

    def _use_profile(self) -> None:
        """Make the limits those of the chosen profile.

        Raises:
            SpawnFailure: none was chosen, or one that there is not.
        """
        if not self.profiles:
            return
        if self.cleanup_until:
            chosen = smallest(self.profiles)
        elif self.offers_choice:
            chosen = self.profiles[self._checked(self.user_options.get(PROFILE))]
        else:
            # Whatever was chosen when there was a choice.
            (chosen,) = self.profiles.values()
        self.profile_name, self.mem_limit, self.cpu_limit = chosen.name, chosen.memory, chosen.cpus

    # -- The home's quota ----------------------------------------------------------------------------------------------

    @property
    def usage(self) -> Usage:
        """What is known of all homes, one for all users."""
        if LimitedSpawner._usage is None:
            LimitedSpawner._usage = Usage(lambda: self.engine.ask(USAGE_PATH), self.home_check_seconds)
        return LimitedSpawner._usage

    @property
    def fullness(self) -> Fullness | None:
        """How full the home is, None where that is not known or does not matter."""
        return self.usage.of(self.home.volume, self.home_size) if self.home_size else None

    @property
    def home_is_full(self) -> bool:
        """Whether no new server starts in it."""
        found = self.fullness
        return found is not None and found.full

    def _watch_home(self) -> None:
        """Have it asked from time to time how full the homes are, for as long as servers run that fill them."""
        if self.home_size:
            self.usage.refresh()

    async def _look_again(self) -> None:
        """Make sure that a home that was full still is: its owner may have deleted files a moment ago."""
        if self.home_is_full:
            await self.usage.renewed()

    async def _require_space(self) -> None:
        """Refuse a start in a full home that is not for deleting files.

        Raises:
            SpawnFailure: the home is full.
        """
        self.cleanup_until = 0.0
        cleanup = self._take_cleanup()
        await self._look_again()
        found = self.fullness
        if found is None or not found.full:
            return
        if not cleanup:
            raise failures.home_full(found.words, self.contact)
        self.cleanup_until = time.time() + CLEANUP_SECONDS

    def _take_cleanup(self) -> bool:
        """Return whether this start is for deleting files.

        Only this one: JupyterHub keeps the options, and gives them to each later start that has none of its own.
        """
        if CLEANUP not in self.user_options:
            return False
        chosen = self.user_options[CLEANUP] is True
        # A new one: a dict that the database handed out and that was changed in place counts as not changed.
        self.user_options = {name: value for name, value in self.user_options.items() if name != CLEANUP}
        self.orm_spawner.user_options = self.user_options
        # Another request that ends while this one waits would take it back.
        if session := object_session(self.orm_spawner):
            session.commit()
        return chosen

    @property
    def cleanup_is_over(self) -> bool:
        """Whether the running server was for deleting files only, and has had its time."""
        return 0 < self.cleanup_until <= time.time()

    @property
    def home_notice(self) -> dict[str, str]:
        """What the user should know of their home: `level` and `text`, or nothing."""
        found = self.fullness
        if found is not None and found.full:
            text = f"Your home is full ({found.words}): no new server starts before you delete files."
            if self.active and self.cleanup_until:
                end = datetime.fromtimestamp(self.cleanup_until, UTC)
                text += f" This one is for that, and stops at {end:%H:%M} UTC."
            return {"level": "danger", "text": text}
        if found is not None and found.warned:
            text = f"Your home is nearly full ({found.words}). Once it is, no new server starts: delete some files."
            return {"level": "warning", "text": text}
        return {}

    # -- What the hub's database knows ---------------------------------------------------------------------------------

    def clear_state(self) -> None:
        """Forget the limits of the server that ended."""
        super().clear_state()
        self.profile_name, self.cleanup_until = DEFAULT, 0.0

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up what the hub's database knows of the running server's limits."""
        super().load_state(state)
        self.profile_name = state.get("profile", DEFAULT)
        self.cleanup_until = state.get("cleanup_until", 0.0)

    def get_state(self) -> dict[str, Any]:
        """Return what the hub's database shall know of them."""
        profile = {"profile": self.profile_name} if self.profile_name != DEFAULT else {}
        cleanup = {"cleanup_until": self.cleanup_until} if self.cleanup_until else {}
        return {**super().get_state(), **profile, **cleanup}
