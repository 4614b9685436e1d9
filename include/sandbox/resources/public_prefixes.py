"""Public IP prefixes: blocks of consecutive public addresses, out of which addresses are made and through which NAT gateways go out.

Shapes: recorded traffic of api-versions 2021-02-01 and 2022-09-01. Sizes: "Public IP address prefix" (learn.microsoft.com).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ..events import event
from ..registry import field, one_of, register
from ..store import Resource
from ..wire import ArmError, Json, Response
from .network import PREFIX, NetworkType, in_use_by, refused, unsupported
from .public_addresses import addresses_of, reserve

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

LENGTHS = {"IPv4": (28, 31), "IPv6": (124, 127)}
UNSUPPORTED = ("customIPPrefix", "loadBalancerFrontendIpConfiguration")


class PublicPrefixes(NetworkType):
    name = PREFIX
    bodies: ClassVar[dict[str, str]] = {"PUT": "network.PublicIPPrefix", "PATCH": "network.TagsObject"}

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        made = self.header(arm, call, body, resource)
        if field(body, "zones", list):
            made["zones"] = body["zones"]
        given = field(body, "properties", dict, {})
        for name in UNSUPPORTED:
            if given.get(name):
                raise unsupported(f"properties.{name}", call.id)
        old: Json = resource.properties if resource is not None else {}
        if field(given, "natGateway.id") not in (None, field(old, "natGateway.id")):  # the gateway names its prefixes
            raise unsupported("properties.natGateway", call.id)
        version = str(one_of(given, "publicIPAddressVersion", tuple(LENGTHS), old.get("publicIPAddressVersion", "IPv4")))
        length = field(given, "prefixLength", int, old.get("prefixLength"))
        least, most = LENGTHS[version]
        if length is None or not least <= length <= most:
            raise refused(
                "InvalidPublicIpPrefixLength",
                f"The prefix length {length} of public IP prefix {call.id} must lie between {least} and {most} for {version}.",
            )
        if old and (version, length) != (old["publicIPAddressVersion"], old["prefixLength"]):
            raise refused("PublicIpPrefixUpdateNotAllowed", f"Length and version of public IP prefix {call.id} cannot be changed.")
        properties: Json = {"prefixLength": length, "publicIPAddressVersion": version, "ipTags": field(given, "ipTags", list, [])}
        for name in ("ipPrefix", "natGateway"):
            if name in old:
                properties[name] = old[name]
        made["properties"] = properties
        tier = field(body, "sku.tier", str, "Regional")
        made["sku"] = {"name": one_of(body, "sku.name", ("Standard", "StandardV2"), "Standard"), "tier": tier}
        return self.write(arm, call, resource, made, then="publicIPPrefixes.written")

    def dynamic(self, call: Call) -> bool:
        return True

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        users = addresses_of(arm, resource)
        if not users:
            return resource.body
        return {**resource.body, "properties": {**resource.properties, "publicIPAddresses": [{"id": id} for id in users]}}

    def in_use(self, arm: Sandbox, resource: Resource) -> ArmError | None:
        gateway = field(resource.properties, "natGateway.id")
        users = addresses_of(arm, resource) + ([gateway] if gateway else [])
        return in_use_by("Public IP prefix", "PublicIpPrefix", resource, users)


@event("publicIPPrefixes.written")
def _written(arm: Sandbox, operation: Json, resource: Resource | None, **_: Any) -> None:
    if resource is None or "ipPrefix" in resource.properties:
        return
    block = reserve(arm, resource.key, resource.properties["prefixLength"], resource.properties["publicIPAddressVersion"])
    resource.properties["ipPrefix"] = str(block)
    arm.store.touch(resource)


register(PublicPrefixes())
