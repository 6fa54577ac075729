"""The limits of the science stack's sizes."""

from __future__ import annotations

import pytest

from infra.errors import DropsondeError
from tests.science.limits import IMAGE, LIMITS, USER, VOLUME, require_limits


def test_sizes_within_their_limits_pass() -> None:
    require_limits(LIMITS | {"switching the version (s)": 1000})


@pytest.mark.parametrize("name", [IMAGE, VOLUME, USER])
def test_a_size_over_its_limit_is_named(name: str) -> None:
    with pytest.raises(DropsondeError) as caught:
        require_limits(LIMITS | {name: LIMITS[name] + 0.01})
    assert caught.value.seen.startswith(f"{name}: {LIMITS[name] + 0.01:.2f}")
    assert len(caught.value.seen.splitlines()) == 1
    assert caught.value.next_step
