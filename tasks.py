"""The verbs: what people type. Each one reads the settings, calls the library in infra/, and prints."""

from __future__ import annotations

import sys
from pathlib import Path

from invoke import Collection, Context, Task, task

from infra import access as access_module
from infra import announce as announce_module
from infra import audit as audit_module
from infra import bills, console, doctor, engine, homes, images, listing, lock, overview, shell, stack, versions
from infra import build as builder
from infra import clean as clean_module
from infra import reset as reset_module
from infra import sbom as sbom_module
from infra import settings as settings_module
from verbs import credentials, look, release, science
from verbs.deploy import deploy, teardown  # noqa: F401 - verbs, collected at the end
from verbs.release import releases, rollback, ssh  # noqa: F401
from verbs.verb import HOST, JSON, YES, AnywhereTask, anywhere, verb

STORY = """\
Dropsonde: a JupyterHub beside your data. The verbs, in the order in which you need them:

  invoke engine    a Docker Engine with compose and buildx; installed and started if you agree
  invoke up        build what is missing, start the hub, say where to log in      (so, at first: invoke engine up)
  invoke status    who is running, since when, memory, volumes
  invoke logs      what the hub and its services say, or one user's server        [--of NAME] [--follow]

  invoke reset     after a change in hub/ or www_custom/hub/: a new hub, while people go on working
  invoke dshell    a root shell in the running hub; share/ is a folder between you and it
  invoke build     what `up` builds, without starting anything                    [--plan] [--only hub]

  invoke science   the versions of the libraries; science.build, .use, .rollback, .list and more

  invoke access    would this e-mail get in now, and what decides it              [EMAIL]
  invoke audit     who came in, was kept out, or had access on a day              [--on 2026-11-23] [--user NAME]

  invoke look      every page side by side; look.watch shows edits at once, .diff, .pull
  invoke announce  a banner on every page, without a restart                      ["TEXT" --until 18:00] [--clear]

  invoke deploy    a host serves this tree with HTTPS, from nothing or as the next release          --host NAME [--plan]
  invoke teardown  take a service from a host; people's data is kept                                --host NAME
  invoke releases  a host's releases; rollback and ssh, and logs, status, dshell, doctor there      --host NAME
  invoke rollback  go back on a host to the release before            --host NAME [--to RELEASE]
  invoke ssh       a shell on a host                                  --host NAME

  invoke credentials  where each key is, since when; credentials.rotate makes new ones, and kernels go on
  invoke users     people's homes: list, archive, remove, hand over
  invoke sbom      what each image holds, as CycloneDX; nox -s audit looks for known vulnerabilities
  invoke doctor    every precondition, each with its remedy
  invoke clean     remove our unused images and orphaned containers; asks
  invoke down      stop; all data is kept (`down --volumes` asks, and deletes it)

Chain them (invoke build up logs), ask each one (invoke up --help). All tests: nox."""


@task(default=True)
@verb
def verbs(context: Context) -> None:
    """Tell the story of the verbs."""
    console.result(STORY)


@task(name="engine", help={"check": "Only report; change nothing."} | YES)
@verb
def engine_(context: Context, check: bool = False, yes: bool = False) -> None:
    """Make sure that a Docker Engine with compose and buildx answers; install it if you agree."""
    if check:
        doctor.show(engine.report())
    else:
        engine.ensure(yes=yes or settings_module.unattended())


@task(
    help={
        "plan": "Print what would be built, and stop.",
        "no_cache": "Build everything anew, with the newest Debian packages.",
        "only": "Build this image only: hub, hub-core, guard, proxy, notebook or science.",
    }
    | YES
)
@verb
def build(context: Context, plan: bool = False, no_cache: bool = False, only: str = "", yes: bool = False) -> None:
    """Build the images and fill the science volume; only what changed."""
    settings = settings_module.load()
    agreed = yes or settings_module.unattended()
    if plan:
        tags = images.tags(settings)
        client = engine.require()
        record = versions.known(client, settings)
        planned = builder.plan(client, settings, tags, record, only=only, no_cache=no_cache)
        for line in planned.lines():
            console.result(line)
    else:
        with lock.exclusive(settings, "build"):
            planned = builder.build(engine.require(), settings, only=only, no_cache=no_cache, yes=agreed)
    if not planned.lines():
        console.done("Nothing to build: everything is up to date.")


@task(help=YES)
@verb
def up(context: Context, yes: bool = False) -> None:
    """Build what is missing, start the hub, wait until it is healthy, and say how to log in."""
    settings = settings_module.load()
    with lock.exclusive(settings, "up"):
        changed = stack.up(engine.require(), settings, yes=yes or settings_module.unattended())
    if not changed:
        console.done(f"Nothing to do: {settings.service_name} is up to date and healthy.")
    console.result(overview.welcome(settings))


@task(auto_shortflags=False, help={"volumes": "Delete all data, too: homes, the hub's database, the libraries."} | YES)
@verb
def down(context: Context, volumes: bool = False, yes: bool = False) -> None:
    """Stop the hub and everybody's servers. All data is kept."""
    settings = settings_module.load()
    with lock.exclusive(settings, "down"):
        changed = stack.down(engine.require(), settings, volumes=volumes, yes=yes)
    if not changed:
        console.done(f"Nothing to do: {settings.service_name} is not running.")


@task(help=YES)
@verb
def reset(context: Context, yes: bool = False) -> None:
    """Rebuild and replace the hub only; people's servers, kernels and connections go on."""
    settings = settings_module.load()
    with lock.exclusive(settings, "reset"):
        reset_module.reset(engine.require(), settings, yes=yes or settings_module.unattended())
    console.result(f"The new hub serves at {settings.url}")


@task(klass=AnywhereTask, help={"command": "Run this command line instead of an interactive shell."} | HOST)
@verb
@anywhere
def dshell(context: Context, command: str = "", host: str = "") -> None:
    """Open a root shell in the running hub; share/ is mounted there. -c 'command' for scripts."""
    sys.exit(shell.dshell(engine.require(), settings_module.load(), command))


@task(klass=AnywhereTask, help=JSON | HOST)
@verb
@anywhere
def status(context: Context, json: bool = False, host: str = "") -> None:
    """Show who is running, since when, memory, volumes and their sizes, and versions."""
    settings = settings_module.load()  # a wrong setting is said whether an engine answers or not
    overview.show_status(engine.require(), settings, as_json=json)


@task(
    klass=AnywhereTask,
    help={
        "follow": "Go on printing as lines arrive; end with Ctrl-C.",
        "of": "Whose log: hub, proxy, guard, firewall, or a user's name.",
        "tail": "Number of lines.",
    }
    | HOST,
)
@verb
@anywhere
def logs(context: Context, of: str = "", follow: bool = False, tail: str = "100", host: str = "") -> None:
    """Print the last log lines of the hub and the services beside it, or of a user's server."""
    shell.logs(engine.require(), settings_module.load(), of=of, follow=follow, tail=tail)


@task(name="doctor", klass=AnywhereTask, help=JSON | HOST)
@verb
@anywhere
def doctor_(context: Context, json: bool = False, host: str = "") -> None:
    """Check every precondition; each check that fails names its remedy."""
    doctor.show(doctor.checks(settings_module.load()), as_json=json)


@task(help={"email": "Whose: the e-mail with which they sign in."} | JSON)
@verb
def access(context: Context, email: str, json: bool = False) -> None:
    """Explain step by step whether this e-mail would get in now; exit code 1 if not."""
    client, settings = engine.require(), settings_module.load()
    if not access_module.show_explanation(client, settings, email, as_json=json):
        sys.exit(1)


@task(
    # -e and -f would be other options than with other verbs.
    auto_shortflags=False,
    help={
        "user": "Only about this person or what they did: a name or an e-mail.",
        "event": f"Only {', '.join(audit_module.EVENTS[:-1])} or {audit_module.EVENTS[-1]}.",
        "since": "From this day on (UTC), e.g. 2026-11-01.",
        "until": "Up to the end of this day.",
        "on": "Who had access on this day?",
        "format_": "table, csv or json.",
    }
    | JSON,
)
@verb
def audit(
    context: Context,
    user: str = "",
    event: str = "",
    since: str = "",
    until: str = "",
    on: str = "",
    format_: str = "table",
    json: bool = False,
) -> None:
    """Show the audit log: who came in, was kept out, and why; or who had access on a day."""
    asked = audit_module.question(user=user, event=event, since=since, until=until, on=on)
    form = listing.form(format_, as_json=json)
    client, settings = engine.require(), settings_module.load()
    (access_module.show_day if asked.on else audit_module.show)(client, settings, asked, form)


@task(
    # -t would be the text's, and texts begin with anything.
    auto_shortflags=False,
    help={
        "text": "What all people should know: one line.",
        "until": 'When it is over: "18:00", "2026-11-30 18:00", or a span such as 2h; otherwise until it is cleared.',
        "clear": "Take the announcement away.",
    }
    | JSON,
)
@verb
def announce(context: Context, text: str, until: str = "", clear: bool = False, json: bool = False) -> None:
    """Show a banner on every page of the hub, from now on; without a text say what is shown."""
    announce_module.require_sense(text=text, until=until, clear=clear)
    client, settings = engine.require(), settings_module.load()
    if text:
        announce_module.announce(client, settings, text, until)
    elif clear:
        console.done("Cleared" if announce_module.clear(client, settings) else "Nothing was announced")
    if json or not clear:
        announce_module.show(announce_module.present(client, settings), as_json=json)


@task(
    # -h would be --hand-over, not --help.
    auto_shortflags=False,
    help={
        "archive": "Pack this user's home into a file.",
        "remove": "Delete this user's home for good.",
        "hand_over": "Copy this user's home into another user's (--to).",
        "to": "With --archive the file to write, with --hand-over the user who gets the files.",
    }
    | YES
    | JSON,
)
@verb
def users(
    context: Context,
    archive: str = "",
    remove: str = "",
    hand_over: str = "",
    to: str = "",
    yes: bool = False,
    json: bool = False,
) -> None:
    """List people's homes with their sizes; archive, remove or hand over one."""
    client, settings = engine.require(), settings_module.load()
    homes.require_one(archive=archive, hand_over=hand_over, remove=remove, to=to)
    if not (archive or hand_over or remove):
        homes.show(client, settings, as_json=json)
        return
    with lock.exclusive(settings, "users"):
        if archive:
            homes.archive(client, settings, archive, to)
        elif hand_over:
            homes.hand_over(client, settings, hand_over, to, yes=yes)
        else:
            homes.remove(client, settings, remove, yes=yes)


@task(
    name="clean",
    auto_shortflags=False,
    help={"all_": "Also the images that `up` would use again, unless a container or a science version does."} | YES,
)
@verb
def clean(context: Context, all_: bool = False, yes: bool = False) -> None:
    """Remove our own unused images, science volumes and orphaned containers; lists them first and asks."""
    settings = settings_module.load()
    with lock.exclusive(settings, "clean"):
        changed = clean_module.clean(engine.require(), settings, yes=yes, everything=all_)
    if not changed:
        console.done("Nothing to remove.")


@task(help={"only": "This image only.", "to": "Folder for the files."})
@verb
def sbom(context: Context, only: str = "", to: str = "artifacts/sbom") -> None:
    """Write what each image holds, as CycloneDX: Debian, Python, R, npm and Java packages."""
    client, settings = engine.require(), settings_module.load()
    with console.step("Looking into the images"):
        found = sbom_module.collect(client, settings, only)
    sbom_module.show(found, bills.write(found, Path(to)))


OURS = [item for item in list(globals().values()) if isinstance(item, Task)]
namespace = Collection(*OURS, science.COLLECTION, look.COLLECTION, release.COLLECTION, credentials.COLLECTION)
