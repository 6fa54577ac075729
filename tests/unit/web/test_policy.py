"""The content security policy: who gets a nonce, and what the policy says."""

from __future__ import annotations

from dropsonde_web import policy
from jinja2 import DictLoader, Environment


def rendered(source: str, **values: object) -> str:
    made = Environment(loader=DictLoader({"page": source}), autoescape=True, extensions=[policy.Nonces])
    return made.get_template("page").render(**values)


def test_scripts_of_a_template_have_the_nonce_of_the_answer() -> None:
    page = rendered('<SCRIPT>1</SCRIPT><script src="x"></script><scripted>', csp_nonce="abc")
    assert page == '<script nonce="abc">1</SCRIPT><script nonce="abc" src="x"></script><scripted>'


def test_what_comes_as_a_value_has_none_even_where_it_is_not_escaped() -> None:
    page = rendered("<script>1</script>{{ value | safe }}", csp_nonce="abc", value="<script>2</script>")
    assert page == '<script nonce="abc">1</script><script>2</script>'


def test_a_page_without_an_answer_has_an_empty_one() -> None:
    assert rendered("<script>1</script>") == '<script nonce="">1</script>'


def test_each_answer_has_its_own() -> None:
    first, second = type("Handler", (), {})(), type("Handler", (), {})()
    assert policy.nonce_of(first) == policy.nonce_of(first)
    assert policy.nonce_of(first) != policy.nonce_of(second)
    assert len(policy.nonce_of(first)) >= 20


def test_the_policy_allows_nothing_from_elsewhere() -> None:
    found = dict(part.split(" ", 1) for part in policy.page_policy("abc").split("; "))
    assert found["script-src"] == "'self' 'nonce-abc'"
    assert found["default-src"] == "'self'"
    assert found["frame-ancestors"] == found["base-uri"] == found["object-src"] == "'none'"
    assert found["form-action"] == "'self'"


def test_with_host_names_of_their_own_forms_may_lead_to_servers() -> None:
    found = policy.page_policy("abc", "https://hub.example.org")
    assert "form-action 'self' https://*.hub.example.org;" in found
