"""Peerings: a virtual network's own half of a link to another one. The link carries traffic when both halves are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from .. import operations
from ..authorization import check_linked
from ..registry import field, register, required
from ..store import Resource
from ..wire import Json, Response
from .network import Block, NetworkType, block_of, check_match, reference_missing, refused, unsupported

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

NETWORK = "Microsoft.Network/virtualNetworks"
PEERING = f"{NETWORK}/virtualNetworkPeerings"
SWITCHES = {  # a client may turn these; their values where it says nothing
    "allowVirtualNetworkAccess": True,
    "allowForwardedTraffic": False,
    "allowGatewayTransit": False,
    "useRemoteGateways": False,
    "doNotVerifyRemoteGateways": False,
    "peerCompleteVnets": True,
}


def peerings_of(arm: Sandbox, network: Resource) -> list[Resource]:
    return list(arm.store.collection(f"{network.key}/virtualnetworkpeerings").values())


class Peerings(NetworkType):
    name = PEERING
    regional = False
    nests = False
    retry_after = 10
    bodies: ClassVar[dict[str, str]] = {"PUT": "network.VirtualNetworkPeering"}

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        check_match(call, resource)
        network = call.parent
        assert network is not None
        created = resource is None
        made = self.place(arm, call, network, call.name, call.json())
        self.stamp(arm, made)
        network.body["etag"] = made.body["etag"]
        arm.store.touch(network)
        made.properties["provisioningState"] = "Updating"
        kind = "network.create" if created else "network.update"
        operation = operations.start(arm, call, made, kind, family=self.family, location=network.location)
        return self.answer(arm, call, operation, made, created=created)

    def place(self, arm: Sandbox, call: Call, network: Resource, name: str, body: Json) -> Resource:
        """Make or change a network's peering. Raises ArmError as `check` does."""
        id = f"{network.id}/virtualNetworkPeerings/{name}"
        given = field(body, "properties", dict, {})
        if given.get("remoteBgpCommunities"):
            raise unsupported("properties.remoteBgpCommunities", id)
        remote = self.check(arm, call, network.id, name, body, spaces(network))
        reference = given["remoteVirtualNetwork"]["id"]
        old = arm.store.get(id)
        properties: Json = {
            "provisioningState": "Succeeded",
            "resourceGuid": old.properties["resourceGuid"] if old else arm.guid("peering", *sorted((network.key, remote.key))),
            "peeringState": "Initiated",
            "peeringSyncLevel": "RemoteNotInSync",
            "remoteVirtualNetwork": {"id": reference},
        }
        for switch, default in SWITCHES.items():
            properties[switch] = field(given, switch, bool, old.properties[switch] if old else default)
        for own in (
            "localAddressSpace",
            "localVirtualNetworkAddressSpace",
            "localSubnetNames",
            "remoteSubnetNames",
            "enableOnlyIPv6Peering",
        ):
            if given.get(own) is not None:
                properties[own] = given[own]
        space = {"addressPrefixes": list(remote.properties["addressSpace"]["addressPrefixes"])}
        properties |= {"remoteAddressSpace": space, "remoteVirtualNetworkAddressSpace": dict(space), "routeServiceVips": {}}
        shown = {"name": name, "id": id, "etag": network.body["etag"], "properties": properties, "type": PEERING}
        if old is None:
            old = arm.store.add(Resource(id, PEERING, shown))
        else:
            old.body = shown
        for other in self.halves(arm, network, remote):
            for half in (old, other):
                half.properties.update({"peeringState": "Connected", "peeringSyncLevel": "FullyInSync"})
                arm.store.touch(half)
        return old

    @staticmethod
    def check(arm: Sandbox, call: Call, network: str, name: str, body: Json, space: list[Block]) -> Resource:
        """The other network of a peering to be, of the network with that id and these addresses. Raises ArmError 400 (texts:
        learn.microsoft.com, "Troubleshoot virtual network peering")."""
        id = f"{network}/virtualNetworkPeerings/{name}"
        reference = required(body, "properties.remoteVirtualNetwork.id")
        remote = arm.resource(reference, NETWORK)
        if remote is None:
            raise reference_missing(reference, id)
        check_linked(arm, call, f"{NETWORK}/peer/action", reference)
        for one in arm.store.collection(f"{network.lower()}/virtualnetworkpeerings").values():
            if one.key != id.lower() and one.properties["remoteVirtualNetwork"]["id"].lower() == remote.key:
                raise refused(
                    "AnotherPeeringAlreadyReferencesRemoteVnet",
                    f"Peering {id} cannot reference remote virtual network {remote.id} because another peering {one.id} belonging to the "
                    "same virtual network already references it.",
                )
        overlapping = [str(one) for one in space if any(one.overlaps(other) for other in spaces(remote))]
        if overlapping:
            raise refused(
                "VnetAddressSpacesOverlap",
                f"Cannot create or update peering {id}. Virtual networks {network} and {remote.id} cannot be peered because their address "
                f"spaces overlap. Overlapping address prefixes: {', '.join(overlapping)}.",
            )
        return remote

    @staticmethod
    def halves(arm: Sandbox, network: Resource, remote: Resource) -> list[Resource]:
        """The remote network's peerings with this one."""
        return [one for one in peerings_of(arm, remote) if one.properties["remoteVirtualNetwork"]["id"].lower() == network.key]

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        raise self.unsupported(call)

    def remove(self, arm: Sandbox, resource: Resource) -> None:
        """The other half stays, disconnected."""
        network = arm.store.get(resource.id.rsplit("/", 2)[0])
        remote = arm.resource(resource.properties["remoteVirtualNetwork"]["id"], NETWORK)
        for other in self.halves(arm, network, remote) if network is not None and remote is not None else ():
            other.properties.update({"peeringState": "Disconnected", "peeringSyncLevel": "RemoteNotInSync"})
            arm.store.touch(other)
        arm.store.drop(resource)


def spaces(network: Resource) -> list[Block]:
    return [block_of(prefix) for prefix in network.properties["addressSpace"]["addressPrefixes"]]


def tell_peers(arm: Sandbox, network: Resource) -> None:
    """The network's addresses changed: who is peered with it uses those that it knew, until it is synchronised."""
    prefixes = network.properties["addressSpace"]["addressPrefixes"]
    for one in peerings_of(arm, network):
        remote = arm.resource(one.properties["remoteVirtualNetwork"]["id"], NETWORK)
        for half in Peerings.halves(arm, network, remote) if remote is not None else ():
            synchronous = half.properties["remoteAddressSpace"]["addressPrefixes"] == prefixes
            half.properties["remoteVirtualNetworkAddressSpace"] = {"addressPrefixes": list(prefixes)}
            half.properties["peeringSyncLevel"] = "FullyInSync" if synchronous else "RemoteNotInSync"
            one.properties["peeringSyncLevel"] = "FullyInSync" if synchronous else "LocalNotInSync"
            arm.store.touch(half)
            arm.store.touch(one)


PEERINGS = Peerings()
register(PEERINGS)
