"""Which e-mail addresses can be used, and in which form."""

from __future__ import annotations

import string
import time

import pytest
from dropsonde_auth.emails import UnusableEmailError, canonical
from hypothesis import given
from hypothesis import strategies as st

LONG_DOMAIN = ".".join(["d" * 60] * 3) + ".org"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("jane@example.org", "jane@example.org"),
        ("Jane.DOE@Example.ORG", "jane.doe@example.org"),
        ("jane+daco@example.org", "jane+daco@example.org"),
        ("o'hara%x@example.org", "o'hara%x@example.org"),
        ("a!#$%&'*+-=?^_`{|}~z@example.org", "a!#$%&'*+-=?^_`{|}~z@example.org"),
        ("j@xn--bcher-kva.example", "j@xn--bcher-kva.example"),
        (f"{'x' * 64}@example.org", f"{'x' * 64}@example.org"),
        (f"{'x' * 16}@{LONG_DOMAIN}", f"{'x' * 16}@{LONG_DOMAIN}"),  # 203 characters
        (f"{'x' * 69}.", None),
        ("", None),
        ("jane", None),
        ("jane@", None),
        ("@example.org", None),
        ("jane@example", None),
        ("jane@@example.org", None),
        ("jane@evil.org@example.org", None),
        ("jane@example.org.", None),
        ("jane@.example.org", None),
        ("jane@-example.org", None),
        ("jane@example-.org", None),
        ("jane@exa_mple.org", None),
        ("jane@[192.0.2.1]", None),
        (f"jane@{'l' * 64}.org", None),
        (".jane@example.org", None),
        ("jane.@example.org", None),
        ("ja..ne@example.org", None),
        ('"jane"@example.org', None),
        ("jane(x)@example.org", None),
        ("Jane <jane@example.org>", None),
        ("jane@example.org,eve@example.org", None),
        ("ja/ne@example.org", None),
        (" jane@example.org", None),
        ("jane@example.org\n", None),
        ("ja ne@example.org", None),
        ("jane\0@example.org", None),
        ("jane\x7f@example.org", None),
        ("j\u0430ne@example.org", None),  # a Cyrillic letter that looks like "a"
        ("jane@ex\u0430mple.org", None),
        ("\uff4aane@example.org", None),  # folds into "j" under NFKC
        ("\u212aate@example.org", None),  # the Kelvin sign: lower() makes "k" of it
        ("\u0131@example.org", None),
        ("ja\u200bne@example.org", None),
        ("jane@example\u3002org", None),  # an ideographic full stop
        (f"{'x' * 65}@example.org", None),
        (f"{'x' * 64}@{LONG_DOMAIN}.{'e' * 5}", None),  # 256 characters
    ],
)
def test_the_form_in_which_addresses_are_compared(text: str, expected: str | None) -> None:
    if expected is not None:
        assert canonical(text) == expected
        return
    with pytest.raises(UnusableEmailError) as caught:
        canonical(text)
    assert str(caught.value).endswith(".")


def test_what_a_message_repeats_is_short_and_harmless() -> None:
    for text in ("\u202egro.elpmaxe@enaj" * 14, "\x1b[31m\r\n\0@example.org", "\ud800@example.org", "q" * 200):
        with pytest.raises(UnusableEmailError) as caught:
            canonical(text)
        message = str(caught.value)
        assert message.isascii()
        assert message.isprintable()
        assert message.count("q") <= 80


@pytest.mark.parametrize("part", ["a", "a.", "@", "a@b.", "\u0430", "-", "'", "/"])
def test_a_megabyte_is_refused_at_once(part: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(UnusableEmailError):
        canonical(part * (1_000_000 // len(part)))
    with pytest.raises(UnusableEmailError):
        canonical((part * 254)[:254])
    assert time.perf_counter() - begun < 0.5


@given(st.one_of(st.text(), st.emails(), st.text(string.ascii_letters + "@.+-'%/ ", max_size=30)))
def test_anything_is_either_canonical_or_refused(text: str) -> None:
    try:
        form = canonical(text)
    except UnusableEmailError:
        return
    assert form.isascii()
    assert form == text.lower()
    assert canonical(form) == form
    assert canonical(form.upper()) == form
    assert len(form) <= 254
    assert "/" not in form
    assert form.count("@") == 1
