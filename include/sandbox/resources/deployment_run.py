"""A deployment while it runs.

It is made of steps, one per resource: waiting, starting, running, then done, failed or left out. One event at a time moves it on: it puts
the next resource whose dependencies are done, through the sandbox's own request path, or asks how a running one is, or ends the deployment.
Each event schedules its successor before it acts, so that a restart goes on where it was; a PUT that was under way is sent again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..events import event
from ..graph import credentials
from ..registry import TYPES
from ..store import Resource
from ..templates.errors import TemplateError
from ..templates.plan import Plan, Planned
from ..wire import ArmError, Json, Request, Response, compact, duration, zulu
from .deployment_request import details_of, parameters_of, plan_of, template_of

if TYPE_CHECKING:
    from ..sandbox import Sandbox

ACTIVE = ("Accepted", "Running", "Deleting")
TRIES = 5  # of a PUT that is answered with 429 or 5xx
POLLS = (1, 1, 2, 2, 3, 5)  # seconds between two looks at a running resource; the last goes on
PATIENCE = 2 * 3600.0  # seconds that a resource may take, as ARM allows it
FAILED = (
    "At least one resource deployment operation failed. Please list deployment operations for details. "
    "Please see https://aka.ms/arm-deployment-operations for usage details."
)


def _request(one: Planned | Json, base: str, method: str, headers: dict[str, str], body: bytes = b"") -> Request:
    id, version = (one.id, one.api_version) if isinstance(one, Planned) else (one["id"], one["apiVersion"])
    return Request(method, f"{base}{quote(id)}?api-version={version}", headers, body)


def steps_of(plan: Plan) -> Json:
    """One step per resource, by its key."""
    return {
        one.key: {
            "id": one.id,
            "type": one.type,
            "name": one.name,
            "apiVersion": one.api_version,
            "dependsOn": one.depends_on,
            "state": "waiting",
            "tries": 0,
        }
        for one in plan.resources
    }


def begin(arm: Sandbox, resource: Resource) -> None:
    _next(arm, resource, 0.5)


def _next(arm: Sandbox, resource: Resource, seconds: float) -> None:
    number = resource.private["number"]
    arm.store.schedule(arm.now + seconds / arm.speed, "deployment.step", id=resource.id, number=number)
    arm.store.touch(resource)


@event("deployment.step")
def _step(arm: Sandbox, id: str, number: int) -> None:
    resource = arm.store.get(id)
    if resource is None or resource.private.get("number") != number or resource.state not in ("Accepted", "Running"):
        return
    resource.properties["provisioningState"] = "Running"
    steps: dict[str, Json] = resource.private["steps"]
    for step in steps.values():
        if step["state"] == "waiting" and any(steps[key]["state"] in ("failed", "left out") for key in step["dependsOn"] if key in steps):
            step["state"] = "left out"
    for key, step in steps.items():
        again = step["state"] == "waiting" and step.get("retry", 0.0) <= arm.now
        if step["state"] == "starting" or (again and all(steps[key]["state"] == "done" for key in step["dependsOn"] if key in steps)):
            step["state"] = "starting"
            step.setdefault("started", arm.now)
            _next(arm, resource, 0.0)
            _put(arm, resource, key, step)
            return
    waiting = [step for step in steps.values() if step["state"] == "running"]
    due = next((step for step in waiting if step["poll"] <= arm.now), None)
    if due is not None:
        _next(arm, resource, 0.0)
        _look(arm, resource, due)
        return
    later = [step["poll"] for step in waiting] + [
        step["retry"] for step in steps.values() if step["state"] == "waiting" and "retry" in step
    ]
    if later:
        _next(arm, resource, max(0.0, min(later) - arm.now) * arm.speed)
        return
    _complete(arm, resource)


# one resource


def _headers(arm: Sandbox, resource: Resource) -> dict[str, str]:
    tenant, client = resource.private["caller"]
    principal = credentials.principal(arm, tenant, client) if client else None
    return {
        "authorization": f"Bearer {arm.token(principal)}",
        "content-type": "application/json",
        "x-ms-correlation-request-id": resource.properties["correlationId"],
    }


def _put(arm: Sandbox, resource: Resource, key: str, step: Json) -> None:
    runtime = _Runtime(arm, resource)
    try:
        plan = _plan(arm, resource)
        one = next(one for one in plan.resources if one.key == key)
        content = plan.body(one, runtime)
    except ArmError as problem:
        _fail(arm, step, problem.body(), "BadRequest")
        return
    answer = arm.answer(_request(one, resource.private["base"], "PUT", _headers(arm, resource), compact(content)))
    body = _json(answer)
    details = details_of(resource.private["body"])
    if "RequestContent" in details:
        step["request"] = {"content": content}  # secrets, too, as Azure warns
    if "ResponseContent" in details:
        step["response"] = {"content": body}
    if _transient(answer, body):
        step["tries"] += 1
        if step["tries"] < TRIES:
            wait = float(answer.headers.get("retry-after", 0) or 0) or 2.0 ** step["tries"] / arm.speed
            step.update(state="waiting", retry=arm.now + wait)
            return
    if answer.dropped or answer.status >= 400 or answer.status == 0:
        error = body.get("error") if isinstance(body, dict) else None
        found = error if isinstance(error, dict) else {"code": "InternalServerError", "message": "The provider did not answer."}
        _fail(arm, step, found, _words(answer.status))
        return
    step["statusCode"] = _words(answer.status)
    url = answer.headers.get("azure-asyncoperation") or (answer.headers.get("location") if answer.status == 202 else None)
    state = _state(body)
    if url is None and state in ("", "Succeeded"):
        step["answer"] = body  # what `reference` shows of a resource that was made at once (recorded)
        _done(arm, step)
        return
    step.update(state="running", poll=arm.now + POLLS[0] / arm.speed, polls=0, url=url)


def _look(arm: Sandbox, resource: Resource, step: Json) -> None:
    """Ask how a running resource is."""
    url = step.get("url")
    headers = _headers(arm, resource)
    request = Request("GET", url, headers) if url else _request(step, resource.private["base"], "GET", headers)
    answer = arm.answer(request)
    body = _json(answer)
    step["polls"] += 1
    step["poll"] = arm.now + POLLS[min(step["polls"], len(POLLS) - 1)] / arm.speed
    if arm.now - step["started"] > PATIENCE / arm.speed:
        _fail(
            arm,
            step,
            {"code": "ResourceDeploymentFailure", "message": "The resource provision operation did not complete in time."},
            "Conflict",
        )
    if answer.dropped or _transient(answer, body):
        return
    if answer.status >= 400:
        _fail(arm, step, _terminal(step, "Failed", body.get("error") if isinstance(body, dict) else None), "Conflict")
        return
    state = str(body.get("status", "")) if isinstance(body, dict) and "status" in body else _state(body)
    if answer.status == 202 or state.lower() not in ("", "succeeded", "failed", "canceled"):
        return
    if state.lower() in ("failed", "canceled"):
        _fail(arm, step, _terminal(step, state, body.get("error")), "Conflict")
        return
    _done(arm, step)


def _terminal(step: Json, state: str, error: Any) -> Json:
    """A resource that was accepted and then failed."""
    found: Json = {
        "code": "ResourceDeploymentFailure",
        "target": step["id"],
        "message": "The resource write operation failed to complete successfully, because it reached terminal provisioning state "
        f"'{state}'.",
    }
    if isinstance(error, dict):
        found["details"] = [error]
    return found


def _done(arm: Sandbox, step: Json) -> None:
    step.update(state="done", ended=arm.now)
    step.setdefault("statusCode", "OK")


def _fail(arm: Sandbox, step: Json, error: Json, words: str) -> None:
    step.update(state="failed", ended=arm.now, error=error, statusCode=words)
    step.setdefault("started", arm.now)


def _transient(answer: Response, body: Any) -> bool:
    if answer.dropped or answer.status in (0, 408, 429) or answer.status >= 500:
        return True
    code = (body.get("error") or {}).get("code") if isinstance(body, dict) and isinstance(body.get("error"), dict) else ""
    return answer.status in (409, 412) and code in ("AnotherOperationInProgress", "RetryableError", "RetryableErrorDueToAnotherOperation")


def _json(answer: Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _state(body: Any) -> str:
    properties = body.get("properties") if isinstance(body, dict) else None
    return str(properties.get("provisioningState", "")) if isinstance(properties, dict) else ""


def _words(status: int) -> str:
    known = {200: "OK", 201: "Created", 202: "Accepted", 400: "BadRequest", 403: "Forbidden", 404: "NotFound", 409: "Conflict"}
    return known.get(status, "TooManyRequests" if status == 429 else "InternalServerError" if status >= 500 else str(status))


def _plan(arm: Sandbox, resource: Resource) -> Plan:
    private = resource.private
    body = private["body"]
    return plan_of(
        arm, resource.id, body, template_of(resource.name, body), parameters_of(body), started=private["started"], base=private["base"]
    )


class _Runtime:
    """`reference` and `list*`, asked of the sandbox."""

    def __init__(self, arm: Sandbox, resource: Resource) -> None:
        self.arm = arm
        self.resource = resource

    def reference(self, id: str, api_version: str | None, full: bool) -> Any:
        steps: dict[str, Json] = self.resource.private["steps"]
        step = self._step(steps, id)
        version = api_version or (step["apiVersion"] if step else None)
        asked = step["id"] if step else id
        if not asked.startswith("/"):
            raise TemplateError(
                f"The resource '{id}' is not defined in the template. Please see https://aka.ms/arm-syntax for usage details."
            )
        if version is None:
            raise TemplateError(
                f"The template function 'reference' requires an api-version for the resource '{id}', which is not in the template. "
                "Please see https://aka.ms/arm-functions#reference for usage details."
            )
        made = step.get("answer") if step and version == step["apiVersion"] else None
        body = made if isinstance(made, dict) else self._ask("GET", asked, version)
        return body if full else body.get("properties", {})

    def listed(self, id: str, action: str, api_version: str, body: Any) -> Any:
        step = self._step(self.resource.private["steps"], id)
        return self._ask("POST", step["id"] if step else id, api_version, "/" + action, compact(body) if body is not None else b"")

    @staticmethod
    def _step(steps: dict[str, Json], id: str) -> Json | None:
        key = id.lower()
        return steps.get(key) or next(
            (
                one
                for one in steps.values()
                if key in (one["name"].lower(), f"{one['type']}/{one['name']}".lower()) or one["id"].lower().endswith("/" + key)
            ),
            None,
        )

    def _ask(self, method: str, id: str, version: str, action: str = "", content: bytes = b"") -> Any:
        url = f"{self.resource.private['base']}{quote(id)}{action}?api-version={version}"
        answer = self.arm.answer(Request(method, url, _headers(self.arm, self.resource), content))
        body = _json(answer)
        if answer.status >= 300 or not isinstance(body, dict):
            error = (body.get("error") if isinstance(body, dict) else None) or {"code": "InternalServerError", "message": ""}
            raise ArmError(answer.status or 500, str(error.get("code")), str(error.get("message")), gateway=True)
        return body


# the end


def _complete(arm: Sandbox, resource: Resource) -> None:
    steps: list[Json] = list(resource.private["steps"].values())
    errors = [step["error"] for step in steps if step["state"] == "failed"]
    properties = resource.properties
    if not errors and properties["mode"] == "Complete" and _remove_others(arm, resource):
        return
    if not errors:
        try:
            outputs = _plan(arm, resource).outputs(_Runtime(arm, resource))
        except ArmError as problem:
            errors = [problem.body()]
        else:
            properties["outputs"] = outputs
            properties["outputResources"] = [{"id": step["id"]} for step in sorted(steps, key=lambda step: step["id"].lower())]
    if errors:
        details = [
            {key: error[key] for key in ("code", "target", "message", "details", "additionalInfo") if key in error} for error in errors
        ]
        properties["error"] = {"code": "DeploymentFailed", "target": resource.id, "message": FAILED, "details": details}
    finish(arm, resource, "Failed" if errors else "Succeeded")


def _remove_others(arm: Sandbox, resource: Resource) -> bool:
    """In Complete mode: delete what the template does not have. True while something is still going."""
    group = "/".join(resource.key.split("/")[:5])
    kept = set(resource.private["steps"])
    others = [
        one
        for one in arm.store.in_group(group).values()
        if one.key.count("/") == 8 and one.key not in kept and (kind := TYPES.get(one.type.lower())) is not None and kind.listed
    ]
    if not others or resource.private.get("rounds", 0) > 60:
        return False
    resource.private["rounds"] = resource.private.get("rounds", 0) + 1
    _next(arm, resource, 5.0)
    for one in others:
        if one.state != "Deleting":
            arm.answer(Request("DELETE", f"{resource.private['base']}{quote(one.id)}?api-version=2024-07-01", _headers(arm, resource)))
    return True


def finish(arm: Sandbox, resource: Resource, state: str) -> None:
    properties = resource.properties
    properties["provisioningState"] = state
    properties["timestamp"] = zulu(arm.now)
    properties["duration"] = duration(arm.now - resource.private["started"])
    if state == "Canceled":
        properties["error"] = {"code": "DeploymentCanceled", "message": f"The deployment '{resource.name}' was canceled."}
    arm.store.touch(resource)
