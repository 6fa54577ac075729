"""Sizes of notebook servers, as the settings name them: `NOTEBOOK_PROFILES=small:2G:2,large:8G:4`.

Imports nothing of JupyterHub's or Docker's: who checks what the hub asks the engine for reads the same settings.
"""

import re
from dataclasses import dataclass

EXAMPLE = "small:2G:2,large:8G:4"
# The name of the only profile where the settings name none.
DEFAULT = "default"
NAME = r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?"
SIZE = r"[1-9]\d*[KMGT]"
CPUS = r"\d*\.?\d+"
FACTORS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True)
class Profile:
    """The limits of a user's container.

    Attributes:
        name: how people and labels call it.
        memory: greatest memory in bytes.
        cpus: greatest share of processors.
    """

    name: str
    memory: int
    cpus: float

    @property
    def words(self) -> str:
        """The limits in words, such as `2 GB of memory, 1 processor`."""
        return f"{readable(self.memory)} of memory, {self.cpus:g} processor{'' if self.cpus == 1 else 's'}"


def readable(size: float) -> str:
    """Return a number of bytes as people say it, such as `1.5 GB`."""
    for unit in ("T", "G", "M"):
        if size >= FACTORS[unit]:
            return f"{size / FACTORS[unit]:.3g} {unit}B"
    return f"{size / FACTORS['K']:.3g} KB"


def size_of(text: str) -> int:
    """Return the bytes of a size such as `2G`.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(SIZE, text):
        raise ValueError(f"{text!r} is no size such as 2G or 512M")
    return int(text[:-1]) * FACTORS[text[-1]]


def profile(name: str, memory: str, cpus: str) -> Profile:
    """Return a profile from the texts of the settings.

    Raises:
        ValueError: one of them cannot be used.
    """
    if not re.fullmatch(NAME, name):
        raise ValueError(f"{name!r} is no name of small letters, digits and dashes")
    if not re.fullmatch(CPUS, cpus) or float(cpus) <= 0:
        raise ValueError(f"{cpus!r} is no number of processors such as 2 or 0.5")
    return Profile(name, size_of(memory), float(cpus))


def parse(text: str, memory: str, cpus: str) -> dict[str, Profile]:
    """Return the profiles by name, in the order of the settings.

    Args:
        text: `NOTEBOOK_PROFILES`: name:memory:cpus, separated by commas. Empty: one profile of the other two.
        memory: `NOTEBOOK_MEMORY`.
        cpus: `NOTEBOOK_CPUS`.

    Raises:
        ValueError: something cannot be used; says what.
    """
    if not text.strip():
        return {DEFAULT: profile(DEFAULT, memory, cpus)}
    found: dict[str, Profile] = {}
    for entry in text.split(","):
        parts = [part.strip() for part in entry.split(":")]
        if len(parts) != 3:
            raise ValueError(f"{entry.strip()!r} is not name:memory:cpus")
        one = profile(*parts)
        if one.name in found:
            raise ValueError(f"{one.name!r} is there twice")
        found[one.name] = one
    return found


def smallest(choice: dict[str, Profile]) -> Profile:
    """Return the profile with the least memory; of several, the one with the fewest processors."""
    return min(choice.values(), key=lambda one: (one.memory, one.cpus))
