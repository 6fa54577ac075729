"""The operator's log gets the end of a container's log, and no secret."""

from dropsonde_spawner import logtail

ENVIRONMENT = ["JUPYTERHUB_API_TOKEN=0123456789abcdef", "PATH=/usr/bin", "EMPTY_TOKEN=", "API_KEY=k"]


def test_values_of_secret_variables_are_hidden() -> None:
    lines = logtail.tail(b"using 0123456789abcdef in /usr/bin\n", ENVIRONMENT)
    assert lines == ["using [hidden] in /usr/bin"]


def test_tokens_in_addresses_and_headers_are_hidden() -> None:
    text = b"http://x/lab?token=abc123&y=1\nAuthorization: token zzz999\npassword='hunter2'\n"
    joined = "\n".join(logtail.tail(text, []))
    for secret in ("abc123", "zzz999", "hunter2"):
        assert secret not in joined
    assert "&y=1" in joined


def test_only_the_end_is_kept_and_bytes_that_are_no_text_do_no_harm() -> None:
    lines = logtail.tail(b"".join(b"line %d \xff\n\n" % i for i in range(50)), [])
    assert len(lines) == logtail.LINES
    assert lines[-1].startswith("line 49")


def test_long_lines_are_cut() -> None:
    assert len(logtail.tail(b"x" * 10_000, [])[0]) == logtail.LINE_LIMIT
