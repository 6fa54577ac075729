"""Nova's fake hypervisor with consoles: a server shows what the file of its name in CONSOLES says."""

from pathlib import Path

from nova.virt import fake

CONSOLES = Path("/var/lib/openstack/consoles")
BOOTING = "[    0.000000] Linux version 6.12\n"


class Driver(fake.FakeDriverWithoutFakeNodes):
    """Servers that only exist in Nova's books."""

    def get_console_output(self, context, instance):
        """Return what a server has printed since it was switched on."""
        console = CONSOLES / instance.display_name
        return BOOTING + (console.read_text() if console.exists() else "")
