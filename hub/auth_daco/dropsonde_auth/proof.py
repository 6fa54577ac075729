"""How people prove who they are, in a form that can be kept and compared."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .authenticator import ApprovalMixin

# The settings that decide who somebody is: which accounts the provider vouches for, where it is asked, what of its
# answer is believed, and what becomes a name. Not the secret, which may be renewed, nor the callback, the scope or the
# lists of who may come in. One more here closes all doors once.
TRAITS = (
    "client_id",
    "authorize_url",
    "token_url",
    "userdata_url",
    "userdata_from_id_token",
    "validate_server_cert",
    "trust_email",
    "allow_unverified_email",
    "hosted_domain",
    "identity_provider",
    "idps",
    "username_claim",
    "username_map",
    "strip_domain",
)
# Where one of these is another one, the same name may be somebody else's.
NAMING = {"provider", "token_url", "userdata_url", "idps", "username_claim", "username_map", "strip_domain"}


@dataclass(frozen=True)
class Proof:
    """How people prove who they are.

    Attributes:
        proved: Whether they do at all; in DEV_MODE anybody is whoever they say.
        facts: What decides it, each as a SHA-256 digest: enough to say what has changed.
    """

    proved: bool
    facts: dict[str, str]

    def changed_since(self, former: Proof | None) -> set[str]:
        """Return the names of the facts that are not what they were; all of them where nothing was known."""
        known = former.facts if former else {}
        return {name for name in self.facts.keys() | known.keys() if self.facts.get(name) != known.get(name)}


def proof_of(authenticator: ApprovalMixin) -> Proof:
    """Return how people prove to an authenticator who they are."""
    own = __name__.partition(".")[0]
    kind = next(base for base in type(authenticator).__mro__ if not base.__module__.startswith(own))
    facts = {"provider": f"{kind.__module__}.{kind.__qualname__}"}
    facts |= {name: _text(getattr(authenticator, name)) for name in TRAITS if authenticator.has_trait(name)}
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in facts.items()}
    return Proof(not authenticator.everybody, digests)


def _text(value: Any) -> str:
    """Return a setting as text that is the same at every start."""

    def plain(item: Any) -> Any:
        return sorted(item) if isinstance(item, set | frozenset) else getattr(item, "__qualname__", type(item).__name__)

    return json.dumps(value, sort_keys=True, default=plain)


def read(path: Path) -> Proof | None:
    """Return what was kept, None where there is nothing, or nothing that can be read."""
    try:
        kept = json.loads(path.read_text())
        return Proof(bool(kept["proved"]), {str(name): str(value) for name, value in kept["facts"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write(path: Path, proof: Proof) -> None:
    """Keep it: the whole of it, or what was there before."""
    unfinished = path.with_suffix(".new")
    unfinished.touch(mode=0o600)
    with unfinished.open("w") as file:
        json.dump(asdict(proof), file)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
