"""One error: what failed, what was seen, what to do next."""


class FirewallError(Exception):
    """Something failed that the operator can act on.

    Args:
        what: what failed, one sentence.
        seen: what was observed; may be empty.
        next_step: what to do now.
    """

    def __init__(self, what: str, *, seen: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.seen = seen
        self.next_step = next_step

    def __str__(self) -> str:
        lines = [f"Error: {self.what}", *self.seen.splitlines(), f"Next: {self.next_step}"]
        return "\n".join(line for line in lines if line)


class SettingsError(FirewallError):
    """A setting is missing or malformed."""
