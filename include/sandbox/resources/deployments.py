"""Template deployments, of resource groups and of the subscription: what clients ask of them. How one runs: deployment_run.py.

Shapes: recorded traffic (`az vm create`, 2023 to 2025), the Resources OpenAPI document; texts: public bug threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import operations, purchases
from ..events import event
from ..registry import ResourceType, field, register, route
from ..routing import require_group
from ..store import Resource
from ..templates.hashing import template_hash
from ..templates.plan import Plan
from ..tokens import american
from ..wire import JSON_TYPE, ArmError, Json, Response, compact, duration, zulu
from . import deployment_operations as did
from . import deployment_run as run
from .deployment_request import content_of, details_of, make_plan, mode_of, preflight, template_of
from .deployment_what_if import what_if, what_if_result

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

WEEK = 7 * 86_400.0  # a deployment that has not ended by then is given up


class Deployments(ResourceType):
    name = "Microsoft.Resources/deployments"
    regional = False
    listed = False
    levels = frozenset({"group", "subscription"})
    unbound = frozenset({"validate", "whatif"})

    def __init__(self) -> None:
        super().__init__()
        self.actions.update(validate=self.validate, whatif=self.what_if, cancel=self.cancel, exporttemplate=self.export)
        self.views["operations"] = lambda arm, call, resource: did.listed(arm, call, resource)

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        if resource is not None and resource.state in run.ACTIVE:
            raise active(resource)
        body = content_of(call)
        plan = make_plan(arm, call, body)
        preflight(arm, call, plan)
        purchases.check_all(arm, [(one.id, plan.body(one)) for one in plan.resources])
        made = self.body(arm, call, body, plan, state="Accepted")
        number = arm.count("deployment")
        private: Json = {
            "number": number,
            "operation": f"{8584_000_000_000_000_000 - number:020d}",
            "base": call.base,
            "caller": [call.tenant, call.client],
            "body": body,
            "started": arm.now,
            "polled": 0,
            "steps": run.steps_of(plan),
        }
        created = resource is None
        if resource is None:
            resource = arm.store.add(Resource(call.id, self.name, made, private))
        else:
            resource.body, resource.private = made, private
            arm.store.touch(resource)
        run.begin(arm, resource)
        url = f"{call.base}{call.path}/operationStatuses/{private['operation']}?api-version={call.api_version}"
        return Response(201 if created else 200, {"content-type": JSON_TYPE, "azure-asyncoperation": url}, compact(made))

    def body(self, arm: Sandbox, call: Call, body: Json, plan: Plan, *, state: str) -> Json:
        made: Json = {"id": call.id, "name": call.name, "type": self.name}
        if not call.group:
            made["location"] = body.get("location")
        if field(body, "tags", dict):
            made["tags"] = body["tags"]
        made["properties"] = {
            "templateHash": plan.hash,
            **({"parameters": plan.parameters.shown} if _tells_parameters(call, body, plan) else {}),
            "mode": mode_of(body),
            **({"debugSetting": {"detailLevel": ", ".join(details)}} if (details := details_of(body)) else {}),
            "provisioningState": state,
            "timestamp": zulu(arm.now),
            "duration": duration(0.0002621),
            "correlationId": call.header("x-ms-correlation-request-id") or arm.request_guid(),
            "providers": plan.providers,
            "dependencies": plan.dependencies,
        }
        return made

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        if resource.state in run.ACTIVE:
            raise active(resource)
        operation = operations.running(arm, resource)
        if operation is None:
            operation = operations.start(arm, call, resource, "deployments.delete", then="deployments.deleted", family="arm")
            resource.properties["provisioningState"] = "Deleting"
            arm.store.touch(resource)
        return operations.accepted(arm, call, operation, retry_after=15)

    def retry_in(self, resource: Resource) -> int | None:
        """While it runs (recorded: Kubernetes' Azure operator)."""
        return 5 if resource.state in run.ACTIVE else None

    def missing(self, call: Call) -> ArmError:
        return ArmError(404, "DeploymentNotFound", f"Deployment '{call.name}' could not be found.", gateway=True)

    # actions

    def validate(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = content_of(call)
        plan = make_plan(arm, call, body)
        preflight(arm, call, plan)
        made = self.body(arm, call, body, plan, state="Succeeded")
        made["properties"]["duration"] = duration(0.0)
        made["properties"]["validatedResources"] = [{"id": one.id} for one in plan.resources]
        return Response(200, {"content-type": JSON_TYPE}, compact(made))

    def what_if(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        """What is wrong with the template is told at the end, too (recorded)."""
        body = content_of(call)
        try:
            plan = make_plan(arm, call, body)
            preflight(arm, call, plan)
            purchases.check_all(arm, [(one.id, plan.body(one)) for one in plan.resources])
        except ArmError as problem:
            if not problem.code.startswith(("InvalidTemplate", "MarketplacePurchase")):
                raise
            return what_if_result(arm, call, {"status": "Failed", "error": problem.body()})
        return what_if(arm, call, plan, mode_of(body))

    def cancel(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        if resource.state not in run.ACTIVE:
            raise ArmError(
                409,
                "DeploymentCannotBeCancelled",
                f"The deployment '{resource.name}' cannot be cancelled because it is in the terminal state '{resource.state}'.",
                gateway=True,
            )
        run.finish(arm, resource, "Canceled")
        return Response(204)

    def export(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        return Response(200, {"content-type": JSON_TYPE}, compact({"template": template_of(resource.name, resource.private["body"])}))


register(Deployments())


def _tells_parameters(call: Call, body: Json, plan: Plan) -> bool:
    """Recorded: old api-versions tell of the parameters where there are any, or the request said that there are none."""
    return bool(plan.parameters.shown) or "parameters" in body["properties"] or call.api_version >= "2020-06-01"


@event("deployments.deleted")
def _deleted(arm: Sandbox, operation: Json, resource: Resource | None, **_: Any) -> None:
    if resource is not None:
        arm.store.drop(resource)


def active(resource: Resource) -> ArmError:
    started = resource.private["started"]
    return ArmError(
        409,
        "DeploymentActive",
        f"Unable to edit or replace deployment '{resource.name}': previous deployment from '{american(started)}' is still active "
        f"(expiration time is '{american(started + WEEK)}'). Please see https://aka.ms/arm-deploy for usage details.",
        gateway=True,
    )


# paths of their own

_GROUP = "subscriptions/{}/resourcegroups/{}"
_PLACE = "/providers/microsoft.resources/deployments/{}"


def _found(arm: Sandbox, call: Call, scope: str, name: str) -> Resource:
    call.type = Deployments.name
    call.name = name
    if call.group:
        require_group(arm, call)
    resource = arm.store.get(f"{scope}/providers/Microsoft.Resources/deployments/{name}")
    if resource is None:
        raise ArmError(404, "DeploymentNotFound", f"Deployment '{name}' could not be found.", gateway=True)
    return resource


def _scope(call: Call, *values: str) -> tuple[str, list[str]]:
    """The scope's id and the rest of a route's values."""
    if "resourcegroups" in call.segments[2].lower():
        call.group = values[1]
        return f"/subscriptions/{values[0]}/resourceGroups/{values[1]}", list(values[2:])
    return f"/subscriptions/{values[0]}", list(values[1:])


@route("GET", _GROUP + _PLACE + "/operationstatuses/{}")
@route("GET", "subscriptions/{}" + _PLACE + "/operationstatuses/{}")
def status(arm: Sandbox, call: Call, *values: str) -> Response:
    scope, (name, id) = _scope(call, *values)
    resource = _found(arm, call, scope, name)
    if resource.private["operation"] != id:
        raise ArmError(
            404, "DeploymentOperationStatusNotFound", f"The deployment operation status '{id}' could not be found.", gateway=True
        )
    body: Json = {"status": resource.state}
    if "error" in resource.properties:
        body["error"] = resource.properties["error"]
    found = {"content-type": JSON_TYPE}
    if resource.state in run.ACTIVE:
        found["retry-after"] = arm.retry_after(5)
    return Response(200, found, compact(body))


@route("GET", _GROUP + "/deployments/{}/operations")
@route("GET", "subscriptions/{}/deployments/{}/operations")
def operations_of(arm: Sandbox, call: Call, *values: str) -> Response:
    scope, (name,) = _scope(call, *values)
    return did.listed(arm, call, _found(arm, call, scope, name))


@route("GET", _GROUP + _PLACE + "/operations/{}")
@route("GET", _GROUP + "/deployments/{}/operations/{}")
@route("GET", "subscriptions/{}" + _PLACE + "/operations/{}")
@route("GET", "subscriptions/{}/deployments/{}/operations/{}")
def operation_of(arm: Sandbox, call: Call, *values: str) -> Response:
    scope, (name, id) = _scope(call, *values)
    resource = _found(arm, call, scope, name)
    for one in did.of(call, resource):
        if one["operationId"].lower() == id.lower():
            return Response(200, {"content-type": JSON_TYPE}, compact(one))
    raise ArmError(404, "DeploymentOperationNotFound", f"The deployment operation '{id}' could not be found.", gateway=True)


@route("POST", "providers/microsoft.resources/calculatetemplatehash")
def calculate_hash(arm: Sandbox, call: Call) -> Response:
    template = call.json()
    text = compact(template).decode()
    return Response(200, {"content-type": JSON_TYPE}, compact({"minifiedTemplate": text, "templateHash": template_hash(template)}))
