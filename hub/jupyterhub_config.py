"""JupyterHub's configuration. What is not here has JupyterHub's or DockerSpawner's default; each line says why it is.

Values come from the environment: `invoke up` sets those of the machine, `hub/environment` the site's public ones and
`hub/oauth.env` its private ones. Add your own lines as files in `hub/config.d/`, not here.
"""

import json
import os
import re
import sys
import traceback
from pathlib import Path

from dropsonde_auth import ApprovalMixin, private
from dropsonde_auth.audit import AuditLog
from dropsonde_auth.configuration import ConfigurationError, configure
from dropsonde_auth.handlers import ApprovalHandler, audited
from dropsonde_look import brand as brands
from dropsonde_look import changes
from dropsonde_look import handlers as look_handlers
from dropsonde_look.announcement import Board
from dropsonde_look.static import StaticFiles
from dropsonde_release import exemption
from dropsonde_spawner import profiles, variables
from dropsonde_spawner.handlers import DiskHandler, VersionHandler
from dropsonde_spawner.hostconfig import PIDS_LIMIT, SHM_SIZE
from dropsonde_web import addresses
from dropsonde_web import settings as web
from dropsonde_web.errors import SettingError
from dropsonde_web.origins import readable

c = get_config()  # noqa: F821

HOME = Path("/srv/jupyterhub")


def setting(name: str, default: str = "") -> str:
    """Return a value of the environment, without blanks around it; an empty one means the default."""
    return os.environ.get(name, "").strip() or default


def stop(what: str, next_step: str) -> None:
    """End the hub with a clear message: exit code 78 says that the configuration is wrong."""
    print(f"Error: {what}\nNext: {next_step}", file=sys.stderr, flush=True)
    sys.exit(78)


def checked(name: str, default: str, pattern: str) -> str:
    """Return a setting of hub/environment that must look like a pattern (a regular expression)."""
    value = setting(name, default)
    if not re.fullmatch(pattern, value):
        stop(f"{name}={value} cannot be used.", f"Write something like {name}={default} into hub/environment.")
    return value


def mirror(name: str, example: str) -> str:
    """Return a setting of hub/environment that is a package mirror's address; people see it in their containers."""
    value = setting(name)
    if value and not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", value):
        # Not shown: there may be a password in it.
        stop(
            f"{name} is not an address without a user and a password; everybody on this hub could read them.",
            f"Write something like {name}={example} into hub/environment, or leave it empty.",
        )
    return value


def load(addition: Path) -> None:
    """Read a file of hub/config.d; whatever it raises is a mistake in it, at the last of its lines that ran."""
    name = str(addition)
    try:
        load_subconfig(name)  # noqa: F821
    except Exception as error:  # noqa: BLE001 - the file is the site's; it may raise anything
        ran = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == name]
        own = isinstance(error, SyntaxError) and error.filename == name
        line, said = (error.lineno, error.msg) if own else (ran[-1] if ran else 1, str(error))
        # Of JUPYTERHUB_CRYPT_KEY each key; the longest first, of which a shorter one may be a part.
        parts = {part for secret in secrets for part in (secret, *secret.split(";"))}
        for secret in sorted(parts, key=len, reverse=True):
            # A shorter one is no secret, and a part of many words.
            said = said.replace(secret, "[secret]") if len(secret) > 3 else said
        stop(
            f"hub/config.d/{addition.name}:{line}: {type(error).__name__}: {said}",
            "Mend that line, or take the file away.",
        )


try:
    secrets = private.load(os.environ)
except (OSError, ValueError) as error:
    stop(f"The hub's private settings cannot be read: {error}", "Write them anew from hub/oauth.env: `invoke up`.")

DEV_MODE = setting("DEV_MODE") == "1"
SERVICE_NAME = setting("SERVICE_NAME")
missing = [name for name in ("SERVICE_NAME", "NOTEBOOK_NETWORK") if not setting(name)]
if missing:
    stop(f"The hub was started without {', '.join(missing)}.", "Start it with `invoke up`, which sets them.")

# -- Who may come in ---------------------------------------------------------------------------------------------------
# Who somebody is (OAUTH_*), who is approved (APPROVAL), and what happens when that ends: docs/signing-in.md.
try:
    configure(c)
except ConfigurationError as error:
    stop(error.what, error.next_step)
c.JupyterHub.tornado_settings.update({"log_function": audited(AuditLog(HOME / "data/audit"))})

# -- What browsers are told --------------------------------------------------------------------------------------------
# Content security policy, cookies, host names, how often somebody may try to sign in: docs/security.md.
try:
    web.configure(c, os.environ)
except SettingError as error:
    stop(error.what, error.next_step)

# -- The hub and its proxy ---------------------------------------------------------------------------------------------
# Listen on all addresses of the container; be found by name, because a replaced hub has another address.
c.JupyterHub.hub_ip = "0.0.0.0"  # noqa: S104
c.JupyterHub.hub_connect_ip = "hub"

# Where a request comes from, by the front's and the proxy's word; nobody else's is taken.
try:
    addresses.install(setting("PROXY_ADDRESS"))
except SettingError as error:
    stop(error.what, error.next_step)

# The proxy is a container of its own: people's notebooks stay connected while the hub is replaced.
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = "http://proxy-api:8001"
c.ConfigurableHTTPProxy.auth_token = (HOME / "proxy-token/token").read_text()
c.JupyterHub.cleanup_servers = False
c.JupyterHub.cleanup_proxy = False
# A restarted proxy has forgotten every route; the default would leave people without their notebooks for 5 minutes.
# (It is this interval that compares the proxy's routes with the running servers, whatever its name.)
c.JupyterHub.last_activity_interval = 5

# What must outlive the container is on the data volume.
c.JupyterHub.db_url = "sqlite:////srv/jupyterhub/data/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = str(HOME / "data/cookie_secret")
# A newer JupyterHub may need another schema; it keeps a copy of the old database beside it.
c.JupyterHub.upgrade_db = True
# With many running notebooks, serve pages while the last of them are still being looked up.
c.JupyterHub.init_spawners_timeout = 1

# -- Pages -------------------------------------------------------------------------------------------------------------
c.JupyterHub.template_paths = [str(HOME / "www_custom/templates")]
# The site's own name, colours and words (BRAND_*), and what all people should know now (`invoke announce`).
try:
    brand = brands.load(os.environ, HOME / "www_custom/static")
except brands.BrandError as error:
    stop(error.what, error.next_step)
board = Board(HOME / "data/announcement.json")
c.JupyterHub.template_vars = {
    "dev_mode": DEV_MODE,
    "approval_contact": c.ApprovalMixin.contact,
    "brand": brand,
    # JupyterHub calls what can be called; the templates call what comes out, at each page.
    "site_announcement": lambda _user: board.current,
    # Where open pages are told that a file of the look changed.
    "look_changes": lambda _user: changes.address() if DEV_MODE else "",
}
c.JupyterHub.tornado_settings.update({"static_handler_class": StaticFiles})
c.JupyterHub.log_level = checked("HUB_LOG_LEVEL", "INFO", "DEBUG|INFO|WARN|ERROR")
# JupyterLab asks whether another version of the libraries is in use by now, whether the user's approval ends, and how
# full the home is.
asked = [("/version", VersionHandler), ("/approval", ApprovalHandler), ("/disk", DiskHandler)]
asked += look_handlers.announcements(board)
c.JupyterHub.extra_handlers = [(path, readable(handler), *more) for path, handler, *more in asked]
c.JupyterHub.extra_handlers += look_handlers.development() if DEV_MODE else []
c.JupyterHub.logo_file = str(HOME / "www_custom/static" / (brand.logo or brands.Brand.logo))

# -- The users' containers ---------------------------------------------------------------------------------------------
c.JupyterHub.spawner_class = "dropsonde_spawner.DropsondeSpawner"
c.DropsondeSpawner.service_name = SERVICE_NAME
# Which image and science volume a start has; `invoke up` and `invoke science.use` write it, each start reads it.
c.DropsondeSpawner.versions_file = str(HOME / "versions/versions.json")
c.DropsondeSpawner.data_mounts = json.loads(setting("DATA_MOUNTS", "[]"))
c.DropsondeSpawner.network_name = setting("NOTEBOOK_NETWORK")
# Talk to containers directly on that network, not through a port of the host.
c.DropsondeSpawner.use_internal_ip = True
c.DropsondeSpawner.default_url = "/lab"
memory, cpus = checked("NOTEBOOK_MEMORY", "2G", profiles.SIZE), checked("NOTEBOOK_CPUS", "2", profiles.CPUS)
try:
    c.DropsondeSpawner.profiles = profiles.parse(setting("NOTEBOOK_PROFILES"), memory, cpus)
except ValueError as error:
    stop(f"NOTEBOOK_PROFILES: {error}.", f"Write something like {profiles.EXAMPLE} into hub/environment.")
c.DropsondeSpawner.pids_limit = int(checked("NOTEBOOK_PIDS", str(PIDS_LIMIT), r"[1-9]\d{1,6}"))
if DEV_MODE:
    # As the guard has it then: `look.watch` puts edits into running notebooks.
    c.DropsondeSpawner.extra_host_config = {"read_only": False}
c.DropsondeSpawner.shm_size = checked("NOTEBOOK_SHM", SHM_SIZE, r"[1-9]\d{0,5}[kmg]")
# A home that holds more than this is full: its owner can delete files, but starts no new server to work in.
c.DropsondeSpawner.home_size = (
    profiles.size_of(checked("HOME_SIZE", "20G", profiles.SIZE)) if setting("HOME_SIZE") else 0
)
c.DropsondeSpawner.home_check_seconds = int(checked("HOME_CHECK_SECONDS", "600", r"[1-9]\d*"))
c.DropsondeSpawner.contact = brand.contact
# More at once only make each other slow; whoever comes then is told when to try again.
c.JupyterHub.concurrent_spawn_limit = int(checked("CONCURRENT_SPAWN_LIMIT", "20", r"[1-9]\d*"))
c.JupyterHub.active_server_limit = int(checked("ACTIVE_SERVER_LIMIT", "0", r"\d+"))
# One server each: with more, the limits of one would be no limit of its user.
c.JupyterHub.allow_named_servers = False
c.DropsondeSpawner.start_timeout = int(checked("SPAWN_TIMEOUT", "60", r"[1-9]\d*"))
# Where `pip install`, `uv` and R's install.packages() look, for sites with mirrors of their own.
pypi, cran = mirror("PYPI_INDEX", "https://pypi.example.org/simple"), mirror("CRAN_MIRROR", "https://cran.example.org")
mirrors = {"PIP_INDEX_URL": pypi, "UV_DEFAULT_INDEX": pypi, "CRAN_MIRROR": cran}
c.DropsondeSpawner.environment = {name: address for name, address in mirrors.items() if address}
try:
    # The guard lets these pass; config.d gives them values.
    variables.parse_names(setting("NOTEBOOK_ENVIRONMENT"))
except ValueError as error:
    stop(f"{error}.", "Name variables that do not decide which programs run, or none.")
# JupyterLab and its error pages have the same face.
c.DropsondeSpawner.environment["DROPSONDE_BRAND"] = json.dumps(brand.for_notebooks())

# -- The site's own additions, last and in order ----------------------------------------------------------------------
for extra in sorted((HOME / "config.d").glob("*.py")):
    load(extra)

# People may do what they need and share nothing; servers that nobody uses are stopped.
try:
    web.complete(c, os.environ)
except SettingError as error:
    stop(error.what, error.next_step)

# Without the mix-in nobody would be asked for approval, and nobody would notice.
chosen = c.JupyterHub.authenticator_class
if not (isinstance(chosen, type) and issubclass(chosen, ApprovalMixin)):
    stop(
        f"hub/config.d sets JupyterHub.authenticator_class to {chosen}, which knows no approval.",
        "Set OAUTH_PROVIDER in hub/environment instead, or wrap the class with dropsonde_auth.with_approval().",
    )

# In the throw-away service of a release only (hub/release).
try:
    exemption.apply(c, SERVICE_NAME)
except exemption.OpenDoorError as error:
    stop(str(error), "Take what turns it on out of hub/config.d; a hub that others reach needs a real sign-in.")
