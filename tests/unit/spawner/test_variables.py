"""Names of variables in people's containers."""

from __future__ import annotations

import pytest
from dropsonde_spawner import variables

SITE = frozenset({"LAB", "https_proxy", "PATH"})


@pytest.mark.parametrize(
    "name",
    ["JUPYTERHUB_API_TOKEN", "DROPSONDE_BRAND", "MEM_LIMIT", "JUPYTER_IMAGE_SPEC", "CRAN_MIRROR", "LAB", "https_proxy"],
)
def test_what_hub_and_site_set_passes(name: str) -> None:
    assert variables.may_have(name, SITE)


@pytest.mark.parametrize("name", ["PATH", "LD_PRELOAD", "PYTHONPATH", "ELSE", "JUPYTERHUB_", "JUPYTERHUB_x", "A B", ""])
def test_what_decides_which_programs_run_never_passes(name: str) -> None:
    assert not variables.may_have(name, SITE)


def test_the_sites_names_are_separated_by_commas() -> None:
    assert variables.parse_names(" LAB, https_proxy,") == ("LAB", "https_proxy")
    assert variables.parse_names("") == ()


@pytest.mark.parametrize("text", ["LD_PRELOAD", "LAB PATH", "1LAB", "R_PROFILE"])
def test_a_name_that_cannot_be_used_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=text.split()[0]):
        variables.parse_names(text)
