"""Where a deployment happens, and the ids that follow from it: `resourceId` and its kin, `resourceGroup()`, `subscription()`, …"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..wire import Json
from .errors import TemplateError
from .functions import text


@dataclass(slots=True)
class Scope:
    """A resource group (`group` is its body), or a subscription (`group` None). `environment`: the cloud's endpoints; `provider_of`: the
    document of a namespace, None for one that does not exist."""

    subscription: Json
    tenant: Json
    environment: Json
    deployment: Json
    group: Json | None = None
    provider_of: Callable[[str], Json | None] = lambda namespace: None

    @property
    def id(self) -> str:
        return str(self.group["id"]) if self.group is not None else str(self.subscription["id"])

    def describe(self, name: str) -> Any:
        """The object that `resourceGroup()`, `subscription()`, `tenant()`, `deployment()` or `environment()` gives."""
        if name == "resourcegroup":
            if self.group is None:
                raise TemplateError(
                    "The template function 'RESOURCEGROUP' is not expected at this location. Please see https://aka.ms/arm-functions for "
                    "usage details."
                )
            return self.group
        return {
            "subscription": self.subscription,
            "tenant": self.tenant,
            "deployment": self.deployment,
            "environment": self.environment,
        }[name]

    def resource_id(self, *arguments: Any) -> str:
        """`resourceId([subscription], [group], type, name, …)`."""
        values = [text("resourceId", argument) for argument in arguments]
        place = next((place for place, value in enumerate(values) if "/" in value), None)
        if place is None or place > 2:
            raise TemplateError(
                "Unable to evaluate template language function 'resourceId': the function requires a fully qualified resource type. "
                "Please see https://aka.ms/arm-functions#resourceid for usage details."
            )
        before, kind, names = values[:place], values[place], values[place + 1 :]
        root = self.id
        if before:
            subscription = before[0] if len(before) == 2 else str(self.subscription["subscriptionId"])
            root = f"/subscriptions/{subscription}/resourceGroups/{before[-1]}"
        return f"{root}/providers/{typed('resourceId', kind, names)}"

    def subscription_resource_id(self, *arguments: Any) -> str:
        """`subscriptionResourceId([subscription], type, name, …)`."""
        values = [text("subscriptionResourceId", argument) for argument in arguments]
        given = "/" not in values[0]
        subscription = values.pop(0) if given else str(self.subscription["subscriptionId"])
        if not values:
            raise TemplateError("Unable to evaluate template language function 'subscriptionResourceId': a resource type is required.")
        kind, names = values[0], values[1:]
        if kind.lower() == "microsoft.resources/resourcegroups":
            return f"/subscriptions/{subscription}/resourceGroups/{'/'.join(names)}"
        return f"/subscriptions/{subscription}/providers/{typed('subscriptionResourceId', kind, names)}"

    def provider(self, namespace: Any, kind: Any = None) -> Any:
        """`providers('Microsoft.Compute', 'virtualMachines')`: locations and api-versions of a type."""
        document = self.provider_of(text("providers", namespace))
        if document is None:
            raise TemplateError(f"The resource namespace '{namespace}' is invalid.")
        if kind is None:
            return document
        for one in document["resourceTypes"]:
            if one["resourceType"].lower() == text("providers", kind).lower():
                return one
        raise TemplateError(f"The resource type '{kind}' could not be found in the namespace '{namespace}'.")


def typed(name: str, kind: str, names: list[str]) -> str:
    """`Microsoft.Compute/galleries/images` and two names -> `Microsoft.Compute/galleries/g/images/i`."""
    namespace, *kinds = kind.split("/")
    names = [part for one in names for part in one.split("/")]
    if len(kinds) != len(names) or not all(names):
        raise TemplateError(
            f"Unable to evaluate template language function '{name}': the type '{kind}' requires '{len(kinds)}' resource name argument(s). "
            f"Please see https://aka.ms/arm-functions#{name} for usage details."
        )
    return "/".join([namespace, *(part for pair in zip(kinds, names, strict=True) for part in pair)])


def extension_resource_id(*arguments: Any) -> str:
    """`extensionResourceId(id, type, name, …)`."""
    values = [text("extensionResourceId", argument) for argument in arguments]
    return f"{values[0].rstrip('/')}/providers/{typed('extensionResourceId', values[1], values[2:])}"


def tenant_resource_id(*arguments: Any) -> str:
    """`tenantResourceId(type, name, …)`."""
    values = [text("tenantResourceId", argument) for argument in arguments]
    return f"/providers/{typed('tenantResourceId', values[0], values[1:])}"
