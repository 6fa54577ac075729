"""What a setting that cannot be used ends in."""


class SettingError(Exception):
    """A setting cannot be used: what is wrong, and what to do."""

    def __init__(self, what: str, next_step: str) -> None:
        super().__init__(what)
        self.what, self.next_step = what, next_step
