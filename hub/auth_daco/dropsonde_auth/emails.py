"""E-mail addresses: which ones can be used here, and the one form in which they are compared."""

from __future__ import annotations

import re

LONGEST = 254  # RFC 5321 4.5.3.1.3: a path has 256 octets at most, two of which are its angle brackets
LONGEST_LOCAL_PART = 64  # RFC 5321 4.5.3.1.1
SHOWN = 80
# RFC 5322 3.2.3: a dot-atom. Not the quoted strings of 3.2.4, which write one mailbox in many ways.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL_PART = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
# RFC 1035 2.3.1 with RFC 1123 2.1: letters, digits and hyphens. No literals such as [192.0.2.1] (RFC 5321 4.1.3).
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


class UnusableEmailError(ValueError):
    """An e-mail address cannot be used here; the message is a sentence for the person."""


def canonical(text: str) -> str:
    """Return the form of an e-mail address in which it is compared: ASCII, lower-cased.

    An address with other letters is refused, never folded into ASCII, since two people's addresses may fold into one.
    Dots and what follows a "+" stay: they are the business of its provider.

    Raises:
        UnusableEmailError: It is no address (RFC 5321, RFC 5322), or one that JupyterHub cannot take as a user's name.
    """
    # The length comes first: nothing below looks at more than this.
    if len(text) > LONGEST:
        raise UnusableEmailError(f"This e-mail address is longer than {LONGEST} characters.")
    if not text:
        raise UnusableEmailError("There is no e-mail address.")
    problem = _problem(text)
    if problem:
        raise UnusableEmailError(f"The e-mail address {_shown(text)} cannot be used: {problem}.")
    return text.lower()


def _problem(text: str) -> str:
    """Return what is wrong with an address, "" where nothing is."""
    if not text.isascii():
        return "it has characters other than plain English letters, digits and signs"
    if any(character <= " " or character == "\x7f" for character in text):
        return "it has blanks or control characters"
    if text.count("@") != 1:
        return "it does not have exactly one @"
    local_part, domain = text.split("@")
    if len(local_part) > LONGEST_LOCAL_PART:
        return f"it has more than {LONGEST_LOCAL_PART} characters before the @"
    if not _LOCAL_PART.fullmatch(local_part):
        return "what stands before the @ is not letters, digits and signs with single dots between them"
    if "/" in local_part:
        return "it has a slash, which no user name of this hub may have"
    labels = domain.split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        return "what stands behind the @ is not a name such as example.org"
    return ""


def _shown(text: str) -> str:
    """Return the beginning of a text such that it can neither control a terminal nor change the order of writing."""
    escaped = text[:SHOWN].encode("unicode_escape").decode("ascii")
    return f'"{escaped}{"..." if len(text) > SHOWN else ""}"'
