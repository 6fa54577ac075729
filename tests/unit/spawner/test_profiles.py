"""What NOTEBOOK_PROFILES and sizes mean."""

import pytest
from dropsonde_spawner import profiles
from dropsonde_spawner.profiles import Profile

GB = 1 << 30


def test_profiles_keep_their_order() -> None:
    found = profiles.parse("small:2G:2, large:8G:4,half:512M:.5", "1G", "1")
    assert list(found) == ["small", "large", "half"]
    assert found["large"] == Profile("large", 8 * GB, 4)
    assert found["half"] == Profile("half", GB // 2, 0.5)
    assert profiles.smallest(found) == found["half"]


@pytest.mark.parametrize("text", ["", "  "])
def test_without_profiles_there_is_one(text: str) -> None:
    assert profiles.parse(text, "2G", "1.5") == {"default": Profile("default", 2 * GB, 1.5)}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("small", "'small' is not name:memory:cpus"),
        ("small:2G", "'small:2G' is not name:memory:cpus"),
        ("small:2G:2:1", "'small:2G:2:1' is not name:memory:cpus"),
        ("small:2G:2,", "'' is not name:memory:cpus"),
        ("Small:2G:2", "'Small' is no name"),
        ("<b>:2G:2", "'<b>' is no name"),
        (f"{'a' * 33}:2G:2", "is no name"),
        ("small:2:2", "'2' is no size"),
        ("small:0G:2", "'0G' is no size"),
        ("small:-1G:2", "'-1G' is no size"),
        ("small:2G:0", "'0' is no number of processors"),
        ("small:2G:0.0", "'0.0' is no number of processors"),
        ("small:2G:nan", "'nan' is no number of processors"),
        ("small:2G:2,small:4G:4", "'small' is there twice"),
    ],
)
def test_what_cannot_be_used_is_named(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=r"^") as caught:
        profiles.parse(text, "2G", "2")
    assert why in str(caught.value)


@pytest.mark.parametrize(("memory", "cpus"), [("2", "2"), ("", "2"), ("2G", ""), ("2G", "two")])
def test_the_only_profile_is_checked_as_well(memory: str, cpus: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        profiles.parse("", memory, cpus)


@pytest.mark.parametrize(
    ("memory", "cpus", "words"),
    [
        (2 * GB, 2.0, "2 GB of memory, 2 processors"),
        (GB * 3 // 2, 1.0, "1.5 GB of memory, 1 processor"),
        (GB // 2, 0.5, "512 MB of memory, 0.5 processors"),
    ],
)
def test_limits_in_words(memory: int, cpus: float, words: str) -> None:
    assert Profile("any", memory, cpus).words == words


def test_sizes_as_people_say_them() -> None:
    assert [profiles.readable(size) for size in (0, 1023, 2048, 5 << 20, 1 << 40)] == [
        "0 KB",
        "0.999 KB",
        "2 KB",
        "5 MB",
        "1 TB",
    ]
