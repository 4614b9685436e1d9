"""What a deployment's request says: its template, parameters and mode, and the plan that they make."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .. import authorization, schema
from ..call import Call
from ..registry import TYPES, field
from ..routing import find
from ..templates.plan import Plan
from ..templates.scope import Scope
from ..validation import Reading
from ..wire import ArmError, Json, Request, unreadable
from .providers import document
from .subscriptions import cloud, describe, tenant

if TYPE_CHECKING:
    from ..sandbox import Sandbox


_DETAILS = {"none": "None", "requestcontent": "RequestContent", "responsecontent": "ResponseContent"}


def content_of(call: Call) -> Json:
    """The request's body: the names of its members without regard to case, and those that are null left out (recorded: Kubernetes' Azure
    operator sends `Properties` and a null `Error`). Raises ArmError 400 for a member that there is not (text:
    ansible-collections/azure#1134)."""
    reading = Reading(whole=True)
    read: Json = reading.object(schema.shape("deployments.DeploymentContent"), call.json(), ())
    if reading.problems:
        raise unreadable(reading.problems[0].text(call.body.decode("utf-8", "replace")))
    return read


def details_of(body: Json) -> list[str]:
    """What of the requests and answers is to be kept for debugging, in ARM's words. Raises ArmError 400 for another word."""
    asked = str(field(body, "properties.debugSetting.detailLevel", str, ""))
    found = [_DETAILS.get(word.strip().lower(), "") for word in asked.split(",")] if asked else []
    if "" in found:
        raise unreadable(
            f"Error converting value \"{asked}\" to type 'DebugSettingDetailLevel'. Path 'properties.debugSetting.detailLevel'."
        )
    return found


def mode_of(body: Json) -> str:
    """Incremental or Complete. Raises ArmError 400 for another."""
    mode = str(field(body, "properties.mode", str, "Incremental"))
    if mode.lower() not in ("incremental", "complete"):
        raise unreadable(f"Error converting value \"{mode}\" to type 'DeploymentMode'. Path 'properties.mode'.")
    return mode.capitalize()


def template_of(name: str, body: Json) -> Json:
    """The request's template. Raises ArmError 400 for none, or for a link (the sandbox never goes to the network)."""
    properties = body.get("properties")
    if not isinstance(properties, dict):
        raise unreadable("Required property 'properties' not found in JSON. Path ''.")
    link = properties.get("templateLink")
    if isinstance(link, dict):
        shown = link.get("uri") or link.get("id") or ""
        raise ArmError(
            400,
            "InvalidContentLink",
            f"Unable to download deployment content from '{shown}'. Please see https://aka.ms/arm-deploy for usage details.",
            gateway=True,
        )
    template = properties.get("template")
    if template is None:
        raise ArmError(
            400,
            "InvalidDeployment",
            f"The deployment '{name}' must have either the TemplateLink or Template property set. Please see https://aka.ms/arm-deploy for "
            "usage details.",
            gateway=True,
        )
    if isinstance(template, str):
        try:
            template = json.loads(template)
        except json.JSONDecodeError:
            template = None
    if not isinstance(template, dict):
        raise ArmError(
            400,
            "InvalidTemplate",
            "Deployment template validation failed: 'The template is missing or is not a JSON object.'.",
            gateway=True,
        )
    return template


def parameters_of(body: Json) -> Json:
    properties = body["properties"]
    if isinstance(properties.get("parametersLink"), dict):
        raise ArmError(
            400,
            "InvalidContentLink",
            f"Unable to download deployment content from '{properties['parametersLink'].get('uri', '')}'. "
            "Please see https://aka.ms/arm-deploy for usage details.",
            gateway=True,
        )
    given: Any = properties.get("parameters")
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except json.JSONDecodeError:
            given = None
        if not isinstance(given, dict):
            raise unreadable("Error converting value to type 'DeploymentParameters'. Path 'properties.parameters'.")
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise unreadable("Cannot deserialize the current JSON value into type 'DeploymentParameters'. Path 'properties.parameters'.")
    if "$schema" in given and isinstance(given.get("parameters"), dict):
        return dict(given["parameters"])
    return dict(given)


def make_plan(arm: Sandbox, call: Call, body: Json) -> Plan:
    """The plan of a request. Raises ArmError 400."""
    template = template_of(call.name, body)
    mode = mode_of(body)
    details_of(body)
    if body["properties"].get("onErrorDeployment") is not None:
        raise ArmError(
            400, "InvalidOnErrorDeployment", "The property 'onErrorDeployment' is not supported for this deployment.", gateway=True
        )
    if not call.group:
        if not field(body, "location"):
            raise ArmError(400, "LocationRequired", "The location property is required for this definition.", gateway=True)
        if mode == "Complete":
            raise ArmError(
                400,
                "InvalidDeployment",
                "The deployment mode 'Complete' is not supported at subscription scope. Please see https://aka.ms/deploy-to-subscription "
                "for usage details.",
                gateway=True,
            )
    return plan_of(arm, call.id, body, template, parameters_of(body), started=arm.now, content=call.body)


def scope_of(arm: Sandbox, id: str, deployment: Json) -> Scope:
    """Where the deployment `id` happens."""
    subscription, group = id.split("/")[2], id.split("/")[4] if "/resourcegroups/" in id.lower() else ""
    found = arm.store.get(f"/subscriptions/{subscription}/resourceGroups/{group}") if group else None
    shown = describe(arm, subscription)
    base = deployment["base"]

    def provider_of(namespace: str) -> Json | None:
        try:
            return document(arm, subscription, namespace)
        except ArmError:
            return None

    return Scope(
        subscription={key: shown[key] for key in ("id", "subscriptionId", "tenantId", "displayName")},
        tenant=tenant(shown["tenantId"]),
        environment=cloud(arm.cloud, base),
        deployment={key: value for key, value in deployment.items() if key != "base"},
        group=found.body if found is not None else None,
        provider_of=provider_of,
    )


def plan_of(
    arm: Sandbox, id: str, body: Json, template: Json, parameters: Json, *, started: float, content: bytes = b"", base: str = ""
) -> Plan:
    """The plan of a deployment. Raises ArmError 400 InvalidTemplate."""
    guids = 0

    def new_guid() -> str:
        nonlocal guids
        guids += 1
        return arm.guid("newGuid", id.lower(), started, guids)

    deployment = {
        "base": base,
        "name": id.rsplit("/", 1)[1],
        "properties": {
            "template": {key: value for key, value in template.items() if key in ("$schema", "contentVersion")},
            "mode": str(body["properties"].get("mode", "Incremental")).capitalize(),
            "provisioningState": "Accepted",
        },
    }
    return Plan(template, parameters, scope_of(arm, id, deployment), started=started, new_guid=new_guid, body=content)


def preflight(arm: Sandbox, call: Call, plan: Plan) -> None:
    """What ARM refuses before anything starts: types, api-versions and namespaces that there are not, what the caller may not write, and
    what the providers say at once. Raises ArmError."""
    denied: list[str] = []
    problems: list[Json] = []
    for one in plan.resources:
        found = Call(Request("PUT", f"{call.base}{quote(one.id)}?api-version={one.api_version}"))
        found.subscription = found.segments[1]
        found.principal, found.client, found.tenant = call.principal, call.client, call.tenant
        find(arm, found)
        action = authorization.action_of(found)
        if not authorization.allowed(arm, call.principal, action, one.id):
            denied.append(
                f"Authorization failed for template resource '{one.name}' of type '{one.type}'. The client '{call.client}' with object id "
                f"'{call.principal}' does not have permission to perform action '{action}' at scope '{one.id}'."
            )
            continue
        try:
            TYPES[found.type.lower()].preflight(arm, found, plan.body(one))
        except ArmError as problem:
            problems.append({**problem.body(), "target": problem.target or one.id})
    if denied:
        raise ArmError(
            403,
            "InvalidTemplateDeployment",
            denied[0] if len(denied) == 1 else f"Deployment failed with multiple errors: '{':'.join(denied)}'",
            gateway=True,
        )
    if problems:
        raise ArmError(
            400,
            "InvalidTemplateDeployment",
            f"The template deployment '{call.name}' is not valid according to the validation procedure. The tracking id is "
            f"'{arm.request_guid()}'. See inner errors for details.",
            details=problems,
            gateway=True,
        )
