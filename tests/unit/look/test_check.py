"""The check of templates: ours passes, and each kind of mistake is named with its file and line."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from dropsonde_look import check, templates

LOGIN = "www_custom/hub/templates/login.html"
OWN_FORM = """{% extends "templates/login.html" %}

{% block login_container %}
  <form action="{{ authenticator_login_url }}" method="post">
    <p id="insecure-login-warning" class="hidden">x</p>
    FIELDS
    <input id="password_input" type="password" name="password" aria-label="Password">
    <button type="button" id="toggle_password_visibility"></button>
  </form>
{% endblock %}
"""


def write(custom: Path, name: str, text: str) -> None:
    (custom / "templates" / name).write_text(text)


def page(block: str, text: str, parent: str = "templates/logout.html") -> str:
    return f'{{% extends "{parent}" %}}\n{{% block {block} %}}\n{text}\n{{% endblock %}}\n'


def test_what_is_shipped_fits(problems: Callable[[], list[str]]) -> None:
    assert problems() == []


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (page("login_contaner", "x", "templates/login.html"), 2, "the block login_contaner is never shown"),
        ('{% extends "templates/logn.html" %}', 1, "templates/logn.html, which is not there"),
        ('{% extends "login.html" %}', 1, "extends this"),
        (page("main", "{% if user %}", "templates/login.html"), 4, "endblock"),
        (page("main", "{{ user.name | nosuch }}", "templates/login.html"), 3, "nosuch"),
        (page("main", "{{ nobody_sets_this }}", "templates/login.html"), 3, "nobody sets nobody_sets_this"),
        (page("main", "{{ a_macro() }}", "templates/login.html"), 3, "nobody sets a_macro"),
        (page("main", '{% include "parts/none.html" %}', "templates/login.html"), 3, "no template parts/none.html"),
    ],
)
def test_mistakes_that_are_seen_without_rendering(
    custom: Path, problems: Callable[[], list[str]], text: str, line: int, says: str
) -> None:
    write(custom, "login.html", text)
    found = problems()
    assert len(found) == 1
    assert found[0].startswith(f"{LOGIN}:{line}: ")
    assert says in found[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<p>{{ brand.names_ }}</p>", "no attribute 'names_'"),
        ("{% for item in brand.items_ %}{% endfor %}", "no attribute 'items_'"),
        ("{{ brand.name.upper().missing() }}", "missing"),
        ("{{ 1 // 0 }}", "ZeroDivisionError"),
        ('{{ static_url("look/none.css") }}', "there is no file look/none.css"),
        ('<img src="https://elsewhere.example/a.png" alt="">', "https://elsewhere.example/a.png is on another machine"),
        ('<script src="//elsewhere.example/a.js"></script>', "//elsewhere.example/a.js is on another machine"),
        ('<img src="/hub/logo">', "the picture /hub/logo has no alt text"),
        ('<i id="a"></i><i id="a"></i>', 'two elements have id="a"'),
        ("<b>bold", "<b> is not closed"),
        ("</em>", "</em> closes nothing"),
        ('<form method="post" action="/hub/x"><input name="y"></form>', "/hub/x has no field _xsrf"),
    ],
)
def test_mistakes_that_only_a_rendered_page_shows(
    custom: Path, problems: Callable[[], list[str]], text: str, says: str
) -> None:
    write(custom, "logout.html", page("main", text))
    found = problems()
    assert len(found) == 1, found
    assert found[0].startswith("www_custom/hub/templates/logout.html:3: ")
    assert says in found[0]


def test_a_question_about_what_nobody_set_is_no_mistake(custom: Path, problems: Callable[[], list[str]]) -> None:
    asks = "{% if user and user.nothing %}x{% endif %}{{ brand.nothing or '' }}{{ announcement_home | default('') }}"
    write(custom, "logout.html", page("main", asks))
    assert problems() == []


def test_a_form_without_its_token_is_named_with_its_line(custom: Path, problems: Callable[[], list[str]]) -> None:
    fields = '<input id="username_input" name="username" aria-label="Name">'
    write(custom, "login.html", OWN_FORM.replace("FIELDS", fields))
    found = problems()
    assert f"{LOGIN}:3: the form field _xsrf is missing (page login)" in found
    assert any(item.startswith(f"{LOGIN}:4: the form that is sent to /hub/login") for item in found)


def test_a_form_without_a_field_or_an_id_that_programs_need(custom: Path, problems: Callable[[], list[str]]) -> None:
    fields = '<input type="hidden" name="_xsrf" value="{{ xsrf }}">'
    text = OWN_FORM.replace("FIELDS", fields).replace('id="password_input" ', "")
    write(custom, "login.html", text)
    found = problems()
    assert f"{LOGIN}:3: the form field username is missing (page login)" in found
    needed = 'the element with id="password_input", which JupyterHub\'s program needs, is missing'
    assert f"{LOGIN}:3: {needed} (page login)" in found


def test_a_page_on_which_nobody_can_sign_in(custom: Path, problems: Callable[[], list[str]]) -> None:
    write(custom, "login.html", page("main", "<h1>Welcome</h1>", "templates/login.html"))
    found = problems()
    assert any("nothing leads to /hub/login" in item and item.startswith(f"{LOGIN}:2: ") for item in found)
    assert any("nothing leads to /hub/oauth_login" in item for item in found)


def test_a_name_that_is_not_escaped(custom: Path, problems: Callable[[], list[str]]) -> None:
    write(custom, "home.html", page("main", "{{ super() }}{{ user.name | safe }}", "templates/home.html"))
    assert any("is not escaped" in item and ":3: " in item for item in problems())


def test_a_block_of_the_page_itself_that_loses_what_programs_need(
    custom: Path, problems: Callable[[], list[str]]
) -> None:
    write(custom, "page.html", page("theme_toggle", "", "templates/page.html"))
    found = problems()
    assert len(found) == 1
    assert found[0].startswith('www_custom/hub/templates/page.html:2: the element with id="dark-theme-toggle"')


def test_a_file_that_is_no_text(custom: Path, problems: Callable[[], list[str]]) -> None:
    (custom / "templates/home.html").write_bytes(b"\xff\xfe")
    assert [item.partition(": ")[0] for item in problems()] == ["www_custom/hub/templates/home.html"]


def test_the_program_ends_with_1_and_says_why_where_and_reads_archives(
    custom: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check.main([str(custom)]) == 0
    assert capsys.readouterr().out == ""
    write(custom, "logout.html", page("none", "x"))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(custom, ".")

    class Given:
        buffer = io.BytesIO(packed.getvalue())

    monkeypatch.setattr("sys.stdin", Given)
    assert check.main(["-"]) == 1
    assert capsys.readouterr().out.startswith("www_custom/hub/templates/logout.html:2: the block none")
    assert check.main([str(custom), "--always-succeed"]) == 0


def test_the_notebooks_error_pages_are_looked_at_as_well(
    problems: Callable[[], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(templates.NOTEBOOK, tmp_path / "notebook")
    monkeypatch.setattr(templates, "NOTEBOOK", tmp_path / "notebook")
    page = tmp_path / "notebook/error.html"
    page.write_text(page.read_text().replace("{{ status_message }}", "{{ status_massage }}"))
    (problem,) = problems()
    assert problem.startswith("www_custom/notebook/templates/error.html:")
    assert "status_massage" in problem
