"""NAT gateways: how the machines of a subnet reach the internet without an address of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..authorization import check_linked
from ..registry import field, one_of, register
from ..wire import ArmError, Json, Response
from .network import ADDRESS, NAT_GATEWAY, PREFIX, NetworkType, in_use_by, reference_missing, refused, subnets_naming, unsupported

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox
    from ..store import Resource

UNSUPPORTED = ("publicIpAddressesV6", "publicIpPrefixesV6", "sourceVirtualNetwork", "serviceGateway", "nat64")

# What a gateway goes out through: its member, and the type that it names.
OUTWARD = {"publicIpAddresses": ADDRESS, "publicIpPrefixes": PREFIX}


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
        properties: Json = {"idleTimeoutInMinutes": minutes}
        outward: list[Resource] = []
        for member, kind in OUTWARD.items():
            named = [self.outward(arm, call, kind, one.get("id"), made["location"]) for one in field(given, member, list, [])]
            if named:
                properties[member] = [{"id": one.id} for one in named]
            outward += named
        if field(body, "zones", list):
            made["zones"] = body["zones"]
        made["sku"] = {"name": sku, "tier": "Regional"}
        made["properties"] = properties
        if resource is not None:
            self.let_go(arm, resource)
        for one in outward:
            one.properties["natGateway"] = {"id": call.id}
            arm.store.touch(one)
        return self.write(arm, call, resource, made)

    @staticmethod
    def outward(arm: Sandbox, call: Call, kind: str, id: str | None, location: str) -> Resource:
        """A public address or prefix for it. Raises ArmError 400 where there is none, or it is somebody else's, or of another sku."""
        found = arm.resource(id, kind)
        if found is None or found.location != location:
            raise reference_missing(str(id), call.id)
        check_linked(arm, call, f"{kind}/join/action", found.id)
        title, code = ("public IP address", "PublicIPAddress") if kind == ADDRESS else ("public IP prefix", "PublicIpPrefix")
        user = field(found.properties, "natGateway.id") or field(found.properties, "ipConfiguration.id")
        if user is not None and str(user).lower() != call.id.lower():
            raise refused(
                f"{code}InUse",
                f"Resource {call.id} is referencing {title} {found.id} that is already allocated to resource {user}.",
            )
        if found.body["sku"]["name"] == "Basic":
            raise refused(
                f"NatGatewayAnd{code}SkuMismatch",
                f"NAT gateway {call.id} cannot use the {title} {found.id} of the sku Basic.",
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
        for member, kind in OUTWARD.items():
            for one in resource.properties.get(member, []):
                if (found := arm.resource(one["id"], kind)) is not None:
                    found.properties.pop("natGateway", None)
                    arm.store.touch(found)

    def remove(self, arm: Sandbox, resource: Resource) -> None:
        self.let_go(arm, resource)
        super().remove(arm, resource)


register(NatGateways())
