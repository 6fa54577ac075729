"""Attacks on a running stack from where the attacker stands: SECURITY.md says which line each of them proves."""
