"""What is in a version: packages found by a part of their name, and what differs between two versions."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import manifest
from infra.errors import UsageError
from infra.manifest import Change


def package(name: str, version: str = "1.0", language: str = "Python", source: str = "PyPI") -> dict[str, str]:
    return {"name": name, "version": version, "source": source, "language": language}


PACKAGES = [
    package("pandas", "2.3.3"),
    package("geopandas"),
    package("jupyterlab-git"),
    package("DESeq2", "1.48.0", "R", "Debian (Bioconductor)"),
    package("pandas", "0.1", "R", "Debian (CRAN)"),
]


def test_parts_of_names_the_exact_ones_first() -> None:
    found = [(item["name"], item["language"]) for item in manifest.matching(PACKAGES, "Pandas")]
    assert found == [("pandas", "Python"), ("pandas", "R"), ("geopandas", "Python")]


@pytest.mark.parametrize("name", ["jupyterlab_git", "JupyterLab-Git", "lab-g"])
def test_dashes_underscores_and_case_do_not_matter(name: str) -> None:
    assert [item["name"] for item in manifest.matching(PACKAGES, name)] == ["jupyterlab-git"]


def test_an_empty_name_means_all() -> None:
    assert len(manifest.matching(PACKAGES, "")) == len(PACKAGES)


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        manifest.matching(PACKAGES, "pamdas")
    assert caught.value.exit_code == 2
    assert "pandas" in caught.value.seen
    with pytest.raises(UsageError) as caught:
        manifest.matching(PACKAGES, "xyzzy")
    assert caught.value.seen == ""
    assert "science.list" in caught.value.next_step


def test_changes_by_language_and_name() -> None:
    after = [item for item in PACKAGES if item["name"] != "geopandas"]
    after = [package("pandas", "3.0") if item == PACKAGES[0] else item for item in after] + [package("polars")]
    assert manifest.changes(PACKAGES, after) == [
        Change("Python", "geopandas", "1.0", ""),
        Change("Python", "pandas", "2.3.3", "3.0"),
        Change("Python", "polars", "", "1.0"),
    ]


CONTENTS = st.dictionaries(
    st.tuples(st.sampled_from(["Python", "R"]), st.sampled_from(["a", "B", "b", "c"])), st.sampled_from(["1", "2"])
)


@given(CONTENTS, CONTENTS)
def test_changes_turn_one_version_into_the_other(
    before: dict[tuple[str, str], str], after: dict[tuple[str, str], str]
) -> None:
    old, new = (
        [package(name, version, language) for (language, name), version in one.items()] for one in (before, after)
    )
    changed = dict(before)
    for change in manifest.changes(old, new):
        assert changed.pop((change.language, change.name), "") == change.before != change.after
        if change.after:
            changed[change.language, change.name] = change.after
    assert changed == after


def test_list_as_json_and_with_the_number_by_source(capsys: pytest.CaptureFixture[str]) -> None:
    manifest.show(PACKAGES, "DESeq", as_json=True)
    assert json.loads(capsys.readouterr().out) == [PACKAGES[3]]
    manifest.show(PACKAGES, "", as_json=False)
    assert "3 from PyPI, 1 from Debian (Bioconductor), 1 from Debian (CRAN)" in capsys.readouterr().out


def test_difference_as_json_and_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    change = Change("Python", "polars", "", "1.0")
    manifest.show_changes([change], as_json=True)
    assert json.loads(capsys.readouterr().out) == [
        {"language": "Python", "name": "polars", "before": "", "after": "1.0"}
    ]
    manifest.show_changes([change], as_json=False)
    assert capsys.readouterr().out.splitlines()[1].split() == ["polars", "Python", "-", "1.0"]
    manifest.show_changes([], as_json=False)
    assert "the same" in capsys.readouterr().out
