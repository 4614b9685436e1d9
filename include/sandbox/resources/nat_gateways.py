"""NAT gateways: how the machines of a subnet reach the internet without an address of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..authorization import check_linked
from ..registry import field, one_of, register
from ..wire import ArmError, Json, Response
from .network import ADDRESS, NAT_GATEWAY, NetworkType, in_use_by, reference_missing, refused, subnets_naming, unsupported

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox
    from ..store import Resource

UNSUPPORTED = ("publicIpPrefixes", "publicIpAddressesV6", "publicIpPrefixesV6", "sourceVirtualNetwork", "serviceGateway", "nat64")


class NatGateways(NetworkType):
    name = NAT_GATEWAY
    bodies: ClassVar[dict[str, str]] = {"PUT": "network.NatGateway", "PATCH": "network.TagsObject"}

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        made = self.header(arm, call, body, resource)
        given = field(body, "properties", dict, {})
        for name in UNSUPPORTED:
            if given.get(name):
                raise unsupported(f"properties.{name}", call.id)
        sku = one_of(body, "sku.name", ("Standard", "StandardV2"))
        if sku is None:
            raise refused("NatGatewaySkuNotSpecified", f"NAT gateway {call.id} must name its sku.")
        minutes = int(field(given, "idleTimeoutInMinutes", int, 4))
        if not 4 <= minutes <= 120:
            raise refused(
                "NatGatewayIdleTimeoutOutOfRange",
                f"The idle timeout {minutes} of NAT gateway {call.id} must lie between 4 and 120 minutes.",
            )
        addresses = [self.address(arm, call, one.get("id"), made["location"]) for one in field(given, "publicIpAddresses", list, [])]
        properties: Json = {"idleTimeoutInMinutes": minutes}
        if addresses:
            properties["publicIpAddresses"] = [{"id": one.id} for one in addresses]
        if field(body, "zones", list):
            made["zones"] = body["zones"]
        made["sku"] = {"name": sku, "tier": "Regional"}
        made["properties"] = properties
        if resource is not None:
            self.let_go(arm, resource)
        for one in addresses:
            one.properties["natGateway"] = {"id": call.id}
            arm.store.touch(one)
        return self.write(arm, call, resource, made)

    @staticmethod
    def address(arm: Sandbox, call: Call, id: str | None, location: str) -> Resource:
        """A public address for the gateway. Raises ArmError 400 where there is none, or it is somebody else's, or of another sku."""
        found = arm.resource(id, ADDRESS)
        if found is None or found.location != location:
            raise reference_missing(str(id), call.id)
        check_linked(arm, call, f"{ADDRESS}/join/action", found.id)
        user = field(found.properties, "natGateway.id") or field(found.properties, "ipConfiguration.id")
        if user is not None and str(user).lower() != call.id.lower():
            raise refused(
                "PublicIPAddressInUse",
                f"Resource {call.id} is referencing public IP address {found.id} that is already allocated to resource {user}.",
            )
        if found.body["sku"]["name"] == "Basic":
            raise refused(
                "NatGatewayAndPublicIPAddressSkuMismatch",
                f"NAT gateway {call.id} cannot use the public IP address {found.id} of the sku Basic.",
            )
        return found

    def dynamic(self, call: Call) -> bool:
        return True

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        subnets = subnets_naming(arm, resource, "natGateway")
        if not subnets:
            return resource.body
        return {**resource.body, "properties": {**resource.properties, "subnets": [{"id": id} for id in subnets]}}

    def in_use(self, arm: Sandbox, resource: Resource) -> ArmError | None:
        return in_use_by("NAT gateway", "NatGateway", resource, subnets_naming(arm, resource, "natGateway"))

    @staticmethod
    def let_go(arm: Sandbox, resource: Resource) -> None:
        for one in resource.properties.get("publicIpAddresses", []):
            if (address := arm.resource(one["id"], ADDRESS)) is not None:
                address.properties.pop("natGateway", None)
                arm.store.touch(address)

    def remove(self, arm: Sandbox, resource: Resource) -> None:
        self.let_go(arm, resource)
        super().remove(arm, resource)


register(NatGateways())
