"""What clouds say, in their own words, and what we make of it."""

from __future__ import annotations

import pytest

from infra.cloud_errors import explain


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        (
            "The request you have made requires authentication. (HTTP 401) (Request-ID: req-3f)",
            "The cloud does not take the credentials: they are wrong, or have expired.",
        ),
        (
            "Client Error for url: http://c/servers, Quota exceeded for instances: Requested 1, but already used 10 "
            "of 10 instances",
            "The project's quota in the cloud is used up.",
        ),
        (
            "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota.",
            "The project's quota in the cloud is used up.",
        ),
        ("ConflictException: 409: No more IP addresses available on network 3f.", "The cloud has no floating IP left."),
        (
            "External network 3f is not reachable from subnet 4a.  Therefore, cannot associate Port 5b with it.",
            "The server's network has no way to the external network.",
        ),
        ("No valid host was found. There are not enough hosts available.", "The cloud has no room for such a server"),
        (
            "ForbiddenException: 403: Policy doesn't allow os_compute_api:servers:create to be performed.",
            "The cloud does not allow that in this project.",
        ),
        ("SSL exception connecting to https://c: CERTIFICATE_VERIFY_FAILED", "The cloud's certificate is not trusted."),
        ("Unable to establish connection to http://c/v3/auth/tokens: refused", "The cloud does not answer."),
        ("Timeout waiting for server to be absent", "The cloud was too slow."),
    ],
)
def test_what_a_cloud_says_is_told_from_its_words(said: str, meaning: str) -> None:
    error = explain(said)
    assert meaning in error.what
    assert error.next_step
    assert "Request-ID" not in error.seen


def test_what_nobody_knows_is_shown_as_it_is() -> None:
    error = explain("Teapot is short and stout", "Make the server: the cloud refused.")
    assert (error.what, error.seen) == ("Make the server: the cloud refused.", "Teapot is short and stout")
    assert error.next_step
