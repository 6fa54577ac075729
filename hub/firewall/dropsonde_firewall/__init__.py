"""Keeps the rules by which users' containers reach the hub and the internet, and nothing else of the machine."""
