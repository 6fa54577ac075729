"""How a release proves itself in a throw-away service, before a host is switched to it."""
