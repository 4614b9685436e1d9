"""What a deployment did, one operation per resource.

Shape: the Resources OpenAPI document's DeploymentOperation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..pages import page_of
from ..store import Resource
from ..templates.hashing import murmur
from ..wire import Json, Response, compact, duration, zulu

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox


def of(call: Call, resource: Resource) -> list[Json]:
    """What the deployment did, newest first."""
    out = []
    for key, step in resource.private["steps"].items():
        if "started" not in step:
            continue
        ended = step.get("ended")
        state = {"done": "Succeeded", "failed": "Failed"}.get(step["state"], "Running")
        out.append(_operation(resource, key, "Create", state, step["started"], ended, step))
    if resource.state == "Succeeded" and resource.properties.get("outputs"):
        at = resource.private["started"]
        evaluated = _operation(resource, "outputs", "EvaluateDeploymentOutput", "Succeeded", at, at, None)
        if call.api_version < "2020-06-01":  # recorded
            evaluated["properties"]["statusMessage"] = None
        out.append(evaluated)
    return out


def _operation(resource: Resource, key: str, kind: str, state: str, started: float, ended: float | None, step: Json | None) -> Json:
    id = f"{murmur(f'{resource.key} {key} {started}'.encode()):016X}"
    properties: Json = {
        "provisioningOperation": kind,
        "provisioningState": state,
        "timestamp": zulu(ended if ended is not None else started),
        "duration": duration((ended if ended is not None else started) - started),
        "trackingId": f"{id[:8]}-{id[8:12]}-4{id[13:16]}-8{id[1:4]}-{id[:12]}".lower(),
    }
    if step is not None:
        properties["serviceRequestId"] = f"{id[4:12]}-{id[:4]}-4{id[5:8]}-9{id[9:12]}-{id[4:]}".lower()
    properties["statusCode"] = step.get("statusCode", "OK") if step else "OK"
    if step is not None and "error" in step:
        properties["statusMessage"] = {"error": step["error"]}
    if step is not None:
        properties |= {name: step[name] for name in ("request", "response") if name in step}  # what debugSetting has kept
        properties["targetResource"] = {"id": step["id"], "resourceType": step["type"], "resourceName": step["name"]}
    return {"id": f"{resource.id}/operations/{id}", "operationId": id, "properties": properties}


def listed(arm: Sandbox, call: Call, resource: Resource) -> Response:
    """The list of them, in pages."""
    return page_of(arm, call, of(call, resource), lambda one: one, render=compact)
