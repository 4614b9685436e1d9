"""Virtual networks."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, ClassVar

from ..registry import field, register, required
from ..store import Resource
from ..wire import JSON_TYPE, ArmError, Json, Response, pretty
from .network import SUBNET, Block, NetworkType, block_of, check_pools, refused, unsupported
from .peerings import PEERINGS, peerings_of, tell_peers
from .subnets import SUBNETS, blocks_of, check_subnet, free_addresses, subnet_body

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

UNSUPPORTED = ("ddosProtectionPlan", "bgpCommunities", "ipAllocations")

RESERVED_SINCE = "2019-12-01"  # the first api-version that tells whether the platform keeps an address (recorded)
USER_SINCE = "2022-01-01"  # and the first that tells who has it


def subnets_of(arm: Sandbox, network: Resource) -> list[Resource]:
    return list(arm.store.collection(f"{network.key}/subnets").values())


class VirtualNetworks(NetworkType):
    name = "Microsoft.Network/virtualNetworks"
    bodies: ClassVar[dict[str, str]] = {"PUT": "network.VirtualNetwork", "PATCH": "network.TagsObject"}

    def __init__(self) -> None:
        super().__init__()
        self.views.update(checkipaddressavailability=self.check_address, usages=self.usages)

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        made = self.header(arm, call, body, resource)
        prefixes = required(body, "properties.addressSpace.addressPrefixes", list)
        space = [block_of(prefix) for prefix in prefixes]
        _check_space(call, space)
        given = field(body, "properties", dict, {})
        check_pools(field(given, "addressSpace", dict, {}), "properties.addressSpace", call.id)
        for name in UNSUPPORTED:
            if given.get(name):
                raise unsupported(f"properties.{name}", call.id)
        wanted = field(body, "properties.subnets", list) if "subnets" in given else None
        old = {one.key: one for one in subnets_of(arm, resource)} if resource is not None else {}
        subnets = self._subnets(arm, call, wanted, old, space)
        for one in field(given, "virtualNetworkPeerings", list, []):
            PEERINGS.check(arm, call, call.id, required(one, "name"), one, space)
        made["properties"] = self._properties(call.id, given, prefixes, bool(subnets or old))
        before = {key: one.properties for key, one in old.items()}
        moves = wanted is not None and before != {key: one["properties"] for key, one in subnets.items()}
        network, operation = self.begin(arm, call, resource, made, below=moves)
        for one in old.values():
            if wanted is not None and one.key not in subnets:
                arm.store.drop(one)
        for key, subnet in subnets.items():
            existing = old.get(key)
            if existing is None:
                existing = arm.store.add(Resource(subnet["id"], SUBNET, subnet))
            existing.body = subnet
            existing.body["etag"] = network.body["etag"]
            arm.store.touch(existing)
        if given.get("virtualNetworkPeerings") is not None:
            self._peer(arm, call, network, field(given, "virtualNetworkPeerings", list, []))
        tell_peers(arm, network)
        return self.answer(arm, call, operation, network, created=resource is None)

    @staticmethod
    def _peer(arm: Sandbox, call: Call, network: Resource, wanted: list[Any]) -> None:
        """The network has the peerings of a list, and no other."""
        names = {str(required(one, "name")).lower() for one in wanted}
        for old in peerings_of(arm, network):
            if old.name.lower() not in names:
                PEERINGS.remove(arm, old)
        for one in wanted:
            PEERINGS.place(arm, call, network, one["name"], one)

    def _subnets(self, arm: Sandbox, call: Call, wanted: list[Any] | None, old: dict[str, Resource], space: list[Block]) -> dict[str, Json]:
        """The subnets' new bodies by key. Raises ArmError for an unfit one, or for one in use that would go or move."""
        made: dict[str, Json] = {}
        taken: list[tuple[str, Block]] = []
        for subnet in wanted or []:
            id = f"{call.id}/subnets/{required(subnet, 'name')}"
            blocks = check_subnet(arm, call, subnet, space, taken)
            taken += [(subnet["name"], block) for block in blocks]
            existing = old.get(id.lower())
            if existing is not None:
                SUBNETS.check_move(existing, blocks)
            made[id.lower()] = subnet_body(arm, call, id, subnet)
        for key, one in old.items():
            if wanted is None:
                check_subnet(arm, call, one.body, space, [])
            elif key not in made and (problem := SUBNETS.in_use(arm, one)) is not None:
                raise problem
        return made

    @staticmethod
    def _properties(id: str, given: Json, prefixes: list[Any], with_subnets: bool) -> Json:
        hidden = () if given.get("enableVmProtection") else ("enableVmProtection",)
        dropped = (*hidden, "subnets", "provisioningState", "resourceGuid", "virtualNetworkPeerings")
        made = {key: value for key, value in given.items() if key not in dropped}
        made["addressSpace"] = {"addressPrefixes": prefixes}
        if with_subnets:
            made.setdefault("privateEndpointVNetPolicies", "Disabled")
        encryption = field(given, "encryption", dict)
        if encryption is not None and (encryption.get("enabled") is None or encryption.get("enforcement") is None):
            raise refused(
                "MustSpecifyBothEncryptionIntentAndEnforcementPolicy",
                f"Cannot encrypt VirtualNetwork {id} unless both encryption intent (Enabled true or false) and enforcement policy "
                "(AllowUnencrypted or DropUnencrypted) are specified.",
            )
        made["enableDdosProtection"] = bool(given.get("enableDdosProtection", False))
        return made

    def dynamic(self, call: Call) -> bool:
        return True

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        updating = resource.state == "Updating"
        subnets = []
        for one in subnets_of(arm, resource):
            subnet = SUBNETS.view(arm, call, one)
            if updating:
                subnet = {**subnet, "properties": {**subnet["properties"], "provisioningState": "Updating"}}
            subnets.append(subnet)
        peerings = [{**one.body, "etag": resource.body["etag"]} for one in peerings_of(arm, resource)]
        properties = {**resource.properties, "subnets": subnets, "virtualNetworkPeerings": peerings}
        return {**resource.body, "properties": properties}

    def in_use(self, arm: Sandbox, resource: Resource) -> ArmError | None:
        for subnet in subnets_of(arm, resource):
            if (problem := SUBNETS.in_use(arm, subnet)) is not None:
                return problem
        return None

    def remove(self, arm: Sandbox, resource: Resource) -> None:
        for one in peerings_of(arm, resource):
            PEERINGS.remove(arm, one)
        super().remove(arm, resource)

    # below the network

    def check_address(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        """Whether a private address is free, and which others are."""
        asked = call.query.get("ipaddress", "")
        try:
            address = ipaddress.ip_address(asked)
        except ValueError:
            raise refused("InvalidIPAddress", f"The IP address {asked} is not valid.") from None
        subnet = next((one for one in subnets_of(arm, resource) if any(address in block for block in blocks_of(one))), None)
        if subnet is None:
            raise refused(
                "PrivateIPAddressNotInAnySubnet",
                f"Private static IP address {asked} does not belong to the range of any subnet in the virtual network {resource.id}",
            )
        block = next(block for block in blocks_of(subnet) if address in block)
        offset = int(address) - int(block.network_address)
        reserved = offset < 4 or address == block.broadcast_address
        free = not reserved and asked not in set(subnet.private.get("addresses", {}).values())
        answer: Json = {"available": free}
        if not free:
            answer["availableIPAddresses"] = free_addresses(subnet, 5)
        if call.api_version >= RESERVED_SINCE:
            answer["isPlatformReserved"] = reserved
        user = next((id for id, held in subnet.private.get("addresses", {}).items() if held == asked), None)
        if user is not None and call.api_version >= USER_SINCE:
            own = next((id for id in subnet.private.get("ip_configurations", []) if id.lower() == user), user)
            answer["inUseWithResource"] = own.rsplit("/ipConfigurations/", 1)[0]
        return Response(200, {"content-type": JSON_TYPE}, pretty(answer))

    def usages(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        value = [
            {
                "currentValue": len(one.private.get("ip_configurations", [])),
                "id": one.id,
                "limit": sum(max(0, block.num_addresses - 5) for block in blocks_of(one)),
                "name": {"localizedValue": "Subnet size and usage", "value": "SubnetSpace"},
                "unit": "Count",
            }
            for one in subnets_of(arm, resource)
        ]
        return Response(200, {"content-type": JSON_TYPE}, pretty({"value": value}))


def _check_space(call: Call, space: list[Block]) -> None:
    if not space:
        raise refused("VnetAddressSpaceNotSpecified", f"Virtual network {call.id} must have at least one address prefix.")
    for index, block in enumerate(space):
        for other in space[:index]:
            if block.overlaps(other):
                raise refused(
                    "VnetAddressSpaceOverlapping",
                    f"Address prefixes {other} and {block} of virtual network {call.name} overlap. Address prefixes of a virtual network "
                    "must not overlap.",
                )


register(VirtualNetworks())
