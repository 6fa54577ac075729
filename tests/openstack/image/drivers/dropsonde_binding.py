"""A mechanism for Neutron's ML2 that needs no agents: every port works at once, and so does every floating address."""

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.callbacks import events, registry, resources
from neutron_lib.plugins import constants as plugins
from neutron_lib.plugins import directory
from neutron_lib.plugins.ml2 import api


@registry.has_registry_receivers
class AtOnce(api.MechanismDriver):
    """Binds ports, and reports what an L3 agent would report."""

    def initialize(self):
        """Nothing to prepare."""

    @property
    def connectivity(self):
        """What ports are connected to."""
        return portbindings.CONNECTIVITY_L2

    def bind_port(self, context):
        """Let a port work."""
        details = {portbindings.CAP_PORT_FILTER: True}
        segment = context.segments_to_bind[0][api.ID]
        context.set_binding(segment, portbindings.VIF_TYPE_OVS, details, status=constants.PORT_STATUS_ACTIVE)

    @registry.receives(resources.FLOATING_IP, [events.AFTER_CREATE, events.AFTER_UPDATE])
    def floating_address(self, resource, event, trigger, payload):
        """Say that a floating address works as soon as it has a port."""
        router = directory.get_plugin(plugins.L3)
        context = payload.context.elevated()
        address = router.get_floatingip(context, payload.resource_id)
        status = "ACTIVE" if address["port_id"] else "DOWN"
        if address["status"] != status:
            router.update_floatingip_status(context, address["id"], status)
