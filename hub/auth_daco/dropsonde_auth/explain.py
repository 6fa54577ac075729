"""`python3 -m dropsonde_auth.explain EMAIL`: would this e-mail get in now, and what decides it?"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from jupyterhub.app import JupyterHub

from . import policy
from .approval import Identity, SourceUnavailableError
from .audit import AuditLog
from .authenticator import ApprovalMixin
from .emails import UnusableEmailError, canonical
from .providers import provider_of

CONFIG = "/srv/jupyterhub/jupyterhub_config.py"


class _NoLog(AuditLog):
    def write(self, event: str, now: datetime | None = None, **facts: object) -> None:
        pass


@dataclass
class Step:
    """One question on the way in, for the reader.

    Attributes:
        question: What is asked.
        answer: yes, no or unknown.
        detail: A sentence.
        decides: Whether it keeps them out, or lets them in.
    """

    question: str
    answer: str
    detail: str
    decides: bool = False


async def explain(authenticator: ApprovalMixin, text: str) -> dict[str, object]:
    """Return the steps and the conclusion as JSON's types: `email`, `would_get_in`, `steps`, `next`."""
    steps: list[Step] = []
    next_step = await _walk(authenticator, text, steps)
    return {
        "email": text,
        "would_get_in": not next_step,
        "steps": [asdict(step) for step in steps],
        "next": next_step,
    }


async def _walk(authenticator: ApprovalMixin, text: str, steps: list[Step]) -> str:
    """Append the steps up to the deciding one; return what to do, "" where nothing stands against them."""
    gate = authenticator.gate
    user = text.strip().lower()
    if gate.source is not None:
        try:
            user = canonical(text)
        except UnusableEmailError as error:
            steps.append(Step("Can this e-mail address be used?", "no", str(error), decides=True))
            return "Ask them for the address with which they sign in."
        steps.append(Step("Can this e-mail address be used?", "yes", f"It is compared as {user}."))
    provider = authenticator.login_service or "the sign-in form"
    question = f"Does {provider} prove that it is theirs?"
    if provider_of(type(authenticator)).silent and not authenticator.trust_email:
        steps.append(Step(question, "no", f"{provider} does not say whether an address is proved.", decides=True))
        return "If you know that all are: OAUTH_TRUST_EMAIL=1 in hub/environment, then invoke reset."
    steps.append(Step(question, "unknown", "Only they can show it, by signing in."))
    # With providers whose user names are no addresses, a sign-in has told the hub which name belongs to it.
    user = next((record.user for record in gate.records.all() if record.email == user), user)
    domains = list(getattr(authenticator, "hosted_domain", ()))
    if domains:
        steps.append(
            Step("Is the account managed by a hosted domain?", "unknown", f"It must be {' or '.join(domains)} (hd).")
        )
    barred = authenticator._barred(user)
    if barred:
        steps.append(Step("Do this hub's own lists let them in?", "no", barred, decides=True))
        return "Add them to ALLOWED_USERS in hub/environment, or take them off the blocked users; then invoke reset."
    admin = user in authenticator.admin_users
    named = admin or user in authenticator.allowed_users
    by_approval = authenticator.approval_is_enough and gate.needs_approval(user)
    if not (named or by_approval or authenticator.everybody):
        steps.append(Step("Do this hub's own lists let them in?", "no", "They are not named there.", decides=True))
        return "Add them to ALLOWED_USERS in hub/environment; then invoke reset."
    reason = "They are an admin." if admin else "They are named." if named else "Everybody who is approved may come in."
    if authenticator.everybody:
        reason = "In DEV_MODE anybody may sign in."
    steps.append(Step("Do this hub's own lists let them in?", "yes", reason, decides=not gate.needs_approval(user)))
    if not gate.needs_approval(user):
        if gate.source is not None:
            steps.append(
                Step("Are they approved?", "unknown", "Admins need no approval here (APPROVAL_EXEMPT_ADMINS).")
            )
        return ""
    return await _ask(authenticator, user, canonical(text), steps)


async def _ask(authenticator: ApprovalMixin, user: str, email: str, steps: list[Step]) -> str:
    gate, source = authenticator.gate, authenticator.gate.source
    assert source is not None  # noqa: S101 - for the type checker: the caller looked
    question = f"Does {source.name} approve them?"
    record = gate.records.get(user)
    if record is not None:
        state = "has ended" if record.ended else "was in force"
        steps.append(
            Step("What does the hub know of them?", "yes", f"At the last look their approval {state}: {record.reason}")
        )
    try:
        answer = await gate.look_up(Identity(email), policy.FRESH)
    except SourceUnavailableError as error:
        steps.append(Step(question, "unknown", str(error), decides=True))
        return f"Find out why {source.name} does not answer; nobody can sign in meanwhile."
    finally:
        await source.close()
    standing = policy.judge_answer(answer, gate.now())
    dated = f"{standing.reason} Evidence of {answer.evidence:%Y-%m-%d %H:%M} UTC"
    ends = f", ends {answer.expires:%Y-%m-%d %H:%M} UTC." if answer.expires else ", no end is known."
    steps.append(Step(question, "yes" if standing.in_force else "no", dated + ends, decides=True))
    return "" if standing.in_force else f"They ask {authenticator.contact or source.name} for approval."


def main() -> None:
    """Print the explanation as JSON."""
    parser = argparse.ArgumentParser(prog="python3 -m dropsonde_auth.explain")
    parser.add_argument("email")
    email = parser.parse_args().email
    hub = JupyterHub(log_level="ERROR")
    hub.load_config_file(CONFIG)
    authenticator = hub.authenticator_class(parent=hub)
    if not isinstance(authenticator, ApprovalMixin):
        name = type(authenticator).__name__
        print(
            f"Error: this hub's authenticator {name} knows no approval.\n"
            "Next: take JupyterHub.authenticator_class out of hub/config.d, or use dropsonde_auth.with_approval there.",
            file=sys.stderr,
        )
        sys.exit(78)
    authenticator.audit = _NoLog(Path())  # an alarm about the approved list is the running hub's to give
    json.dump(asyncio.run(explain(authenticator, email)), sys.stdout)


if __name__ == "__main__":
    main()
