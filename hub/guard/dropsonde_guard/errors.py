"""Why a call is not carried out."""

FORBIDDEN, MISSING, CONFLICT, TOO_LARGE, BROKEN_ENGINE, NOT_NOW = 403, 404, 409, 413, 502, 503


class Refused(Exception):  # noqa: N818 - it is an answer, not an accident
    """A call that is not carried out.

    Args:
        why: What is wrong with it, for the operator's log and for whoever asked. Never a value of the environment.
        status: The answer's status.
    """

    def __init__(self, why: str, status: int = FORBIDDEN) -> None:
        self.why = why
        self.status = status
        super().__init__(why)


def missing(kind: str, name: str) -> Refused:
    """Return the answer about something that is not ours: the same as where there is nothing."""
    return Refused(f"No such {kind}: {name}", MISSING)
