"""A template as a plan: the resources it makes with their ids, what each waits for, and the outputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..wire import ArmError, Json
from .errors import TemplateError, expression_failed, validation_failed
from .evaluation import UNKNOWN, Evaluator, Runtime, loop_count
from .hashing import template_hash
from .nested import for_the_inner
from .parameters import Parameters, camel, is_secure, type_of
from .scope import Scope

MEMBERS = frozenset(
    (
        "$schema",
        "contentversion",
        "apiprofile",
        "languageversion",
        "definitions",
        "metadata",
        "parameters",
        "variables",
        "functions",
        "resources",
        "outputs",
    )
)
PASSED = frozenset(
    (
        "location",
        "tags",
        "sku",
        "kind",
        "plan",
        "zones",
        "identity",
        "managedby",
        "managedbyextended",
        "properties",
        "etag",
        "extendedlocation",
        "placement",
    )
)  # what goes into the PUT's body
OWN = frozenset(
    (
        "type",
        "name",
        "apiversion",
        "dependson",
        "condition",
        "copy",
        "comments",
        "scope",
        "resources",
        "metadata",
        "existing",
        "subscriptionid",
        "resourcegroup",
    )
)  # what the deployment itself reads
USAGE = "Please see https://aka.ms/arm-syntax-resources for usage details."


@dataclass(slots=True)
class Planned:
    """One resource. `depends_on`: ids in lower case."""

    id: str
    type: str
    name: str
    api_version: str
    source: Json
    symbol: str = ""
    loop: tuple[str, int] | None = None
    location: str | None = None
    depends_on: list[str] = field(default_factory=list)
    explicit: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        return self.id.lower()


class Plan:
    """The plan of `template` with the parameters `given` in `scope`.

    `started` (epoch seconds) is what `utcNow` says; `new_guid` makes GUIDs for `newGuid`; `body` is the request, for positions in error
    texts. Raises ArmError 400 InvalidTemplate (or InvalidRequestContent) for whatever is wrong with it.
    """

    def __init__(
        self,
        template: Json,
        given: Json,
        scope: Scope,
        *,
        started: float = 0.0,
        new_guid: Any = None,
        body: bytes = b"",
        mode: str = "Incremental",
    ) -> None:
        _check_members(template)
        self.template = template
        self.scope = scope
        self.hash = template_hash(template)
        self.parameters = Parameters(_section(template, "parameters"), given, body)
        self._started = started
        self._guids: list[str] = []
        self._new_guid = new_guid
        evaluator = self.evaluator()
        self.parameters.evaluate = evaluator.static
        self._guard(self.parameters.check)
        self._guard(evaluator.check_variables)
        self.resources: list[Planned] = []
        self._skipped: set[str] = set()
        self._expand(evaluator, _resources(template), None)
        self._by_key = {one.key: one for one in self.resources}
        if len(self._by_key) < len(self.resources):
            seen: set[str] = set()
            twice = next(one for one in self.resources if one.key in seen or seen.add(one.key))  # type: ignore[func-returns-value]  # add() is None, which is false
            raise validation_failed(f"The resource '{twice.type}/{twice.name}' is defined multiple times in a template. {USAGE}")
        for one in self.resources:
            self._depend(evaluator, one)
        self._check_circles()
        self._guard(lambda: self._outputs(evaluator))

    def evaluator(self, runtime: Runtime | None = None) -> Evaluator:
        """An evaluator of this template's expressions; without a runtime what only the deployment knows is UNKNOWN."""
        return Evaluator(
            self.scope,
            parameter=self.parameters.value,
            variables=_section(self.template, "variables"),
            user_functions=_user_functions(self.template),
            started=self._started,
            new_guid=self._new_guid,
            runtime=runtime,
        )

    @staticmethod
    def _guard(act: Any) -> Any:
        try:
            return act()
        except TemplateError as error:
            raise validation_failed(error.message, error.position) from None

    # resources

    def _expand(self, evaluator: Evaluator, sources: list[tuple[str, Json]], parent: Planned | None) -> None:
        for symbol, source in sources:
            loop = source.get("copy")
            if not isinstance(loop, dict):
                self._add(evaluator, symbol, source, parent, None)
                continue
            name = str(loop.get("name", ""))
            count = self._guard(lambda loop=loop: loop_count(evaluator.static(loop.get("count"))))
            batch = int(loop.get("batchSize", 1) or 1) if str(loop.get("mode", "")).lower() == "serial" else 0
            made: list[Planned] = []
            for index in range(count):
                with evaluator.loop(name, index):
                    one = self._add(evaluator, symbol, source, parent, (name, index))
                if one is not None:
                    if batch and index >= batch:
                        first = index // batch * batch - batch
                        one.depends_on.extend(other.key for other in made[first : first + batch])
                    made.append(one)

    def _add(self, evaluator: Evaluator, symbol: str, source: Json, parent: Planned | None, loop: tuple[str, int] | None) -> Planned | None:
        unknown = [key for key in source if key.lower() not in OWN and key.lower() not in PASSED]
        if unknown:
            raise parse_failed(unknown[0], "TemplateResource")
        try:
            kind, name = str(evaluator.static(source.get("type") or "")), evaluator.static(source.get("name"))
            version = evaluator.static(source.get("apiVersion"))
            wanted = evaluator.static(source.get("condition", True))
            if not isinstance(name, str) or not name:
                raise TemplateError(
                    "The name property cannot be null or empty. Please see https://aka.ms/arm-syntax-resources for usage details."
                )
            if parent is not None and kind.count("/") < parent.type.count("/") + 1:
                kind, name = f"{parent.type}/{kind}", f"{parent.name}/{name}"
            id = self._id(evaluator, source, kind, name)
            location = evaluator.static(source.get("location"))
        except TemplateError as error:
            shown = source.get("name")
            raise validation_failed(f"The template resource '{shown}' is not valid: {error.message}", error.position) from None
        if not isinstance(version, str) or not version:
            raise validation_failed(
                f"The template resource '{name}' of type '{kind}' is not valid: the apiVersion property is required. {USAGE}"
            )
        if source.get("existing") is True or wanted is False or (isinstance(wanted, str) and wanted.lower() == "false"):
            self._skipped.update((id.lower(), symbol.lower()) if symbol else (id.lower(),))
            return None
        one = Planned(id, kind, name, version, source, symbol, loop, location if isinstance(location, str) else None)
        self.resources.append(one)
        children = source.get("resources")
        if isinstance(children, list):
            self._expand(evaluator, [("", child) for child in children if isinstance(child, dict)], one)
        return one

    def _id(self, evaluator: Evaluator, source: Json, kind: str, name: str) -> str:
        namespace, _, rest = kind.partition("/")
        kinds, names = rest.split("/"), name.split("/")
        if not rest or len(kinds) != len(names):
            raise TemplateError(
                "A nested resource type must have identical number of segments as its resource name. A root resource type must have "
                f"segment length one greater than its resource name. {USAGE}"
            )
        root = self.scope.id
        if source.get("scope") is not None:
            scope = str(evaluator.static(source["scope"]))
            root = scope.rstrip("/") if scope.startswith("/") else f"{root}/providers/{scope}"
        elif source.get("resourceGroup") is not None:
            subscription = evaluator.static(source.get("subscriptionId")) or self.scope.subscription["subscriptionId"]
            root = f"/subscriptions/{subscription}/resourceGroups/{evaluator.static(source['resourceGroup'])}"
        elif source.get("subscriptionId") is not None:
            root = f"/subscriptions/{evaluator.static(source['subscriptionId'])}"
        if kind.lower() == "microsoft.resources/resourcegroups":
            return f"{root.split('/resourceGroups/')[0]}/resourceGroups/{name}"
        pairs = "/".join(part for pair in zip(kinds, names, strict=True) for part in pair)
        return f"{root}/providers/{namespace}/{pairs}"

    def body(self, one: Planned, runtime: Runtime | None = None) -> Json:
        """The PUT's body. Raises ArmError InvalidTemplate naming the resource."""
        return self._body(self.evaluator(runtime), one)

    def _body(self, evaluator: Evaluator, one: Planned) -> Json:
        passed = {key: value for key, value in one.source.items() if key.lower() in PASSED}
        try:
            if one.type.lower() == "microsoft.resources/deployments":
                passed = for_the_inner(evaluator, passed)
            if one.loop is None:
                return dict(evaluator.tree(passed))
            with evaluator.loop(*one.loop):
                return dict(evaluator.tree(passed))
        except TemplateError as error:
            raise expression_failed(one.id, error) from None

    # order

    def _depend(self, evaluator: Evaluator, one: Planned) -> None:
        asked = one.source.get("dependsOn") or []
        if not isinstance(asked, list):
            raise parse_failed("dependsOn", "TemplateResource")
        if one.loop is not None:
            with evaluator.loop(*one.loop):
                given = self._guard(lambda: evaluator.static(asked))
        else:
            given = self._guard(lambda: evaluator.static(asked))
        for wanted in given:
            for found in self.named(str(wanted), strict=True):
                if found.key != one.key and found.key not in one.explicit:
                    one.explicit.append(found.key)
        evaluator.references.clear()
        self._body(evaluator, one)
        implied = [found.key for wanted in evaluator.references for found in self.named(wanted, strict=False)]
        for key in (*one.explicit, *implied):
            if key != one.key and key not in one.depends_on:
                one.depends_on.append(key)
        one.explicit.extend(key for key in implied if key != one.key and key not in one.explicit)

    def named(self, wanted: str, *, strict: bool) -> list[Planned]:
        """The resources meant by an id, a `type/name`, a name, a symbol or the name of a copy loop. `strict`: raises ArmError
        InvalidTemplate where there is none."""
        key = wanted.lower()
        if key in self._by_key:
            return [self._by_key[key]]
        if key in self._skipped:
            return []
        root = self.scope.id.lower()
        found = [
            one
            for one in self.resources
            if key in (one.name.lower(), one.symbol.lower(), f"{one.type}/{one.name}".lower(), (one.loop[0] if one.loop else "").lower())
            or one.key == f"{root}/providers/{key}"
        ]
        if found or not strict:
            return found
        if any(key.endswith(skipped) or skipped.endswith("/" + key) for skipped in self._skipped):
            return []
        shown = wanted.split("/providers/", 1)[1] if wanted.lower().startswith("/subscriptions/") and "/providers/" in wanted else wanted
        raise validation_failed(
            f"The resource '{shown}' is not defined in the template. Please see https://aka.ms/arm-syntax for usage details."
        )

    def _check_circles(self) -> None:
        done: set[str] = set()
        while len(done) < len(self.resources):
            ready = [one.key for one in self.resources if one.key not in done and done.issuperset(one.depends_on)]
            if not ready:
                stuck = next(one for one in self.resources if one.key not in done)
                raise validation_failed(f"Circular dependency detected on resource: '{stuck.id}'. {USAGE}")
            done.update(ready)

    # what a deployment's GET tells

    @property
    def providers(self) -> list[Json]:
        out: dict[str, dict[str, list[Any]]] = {}
        shown: dict[str, str] = {}
        for one in self.resources:
            namespace, _, kind = one.type.partition("/")
            space = shown.setdefault(namespace.lower(), namespace)
            locations = out.setdefault(space, {}).setdefault(kind, [])
            location = one.location.replace(" ", "").lower() if one.location else None
            if location not in locations:
                locations.append(location)
        return [
            {"namespace": space, "resourceTypes": [{"resourceType": kind, "locations": places} for kind, places in kinds.items()]}
            for space, kinds in out.items()
        ]

    @property
    def dependencies(self) -> list[Json]:
        def brief(one: Planned) -> Json:
            return {"id": one.id, "resourceType": one.type, "resourceName": one.name}

        return [{"dependsOn": [brief(self._by_key[key]) for key in one.explicit], **brief(one)} for one in self.resources if one.explicit]

    def outputs(self, runtime: Runtime) -> Json:
        """The outputs. Raises ArmError InvalidTemplate (code DeploymentOutputEvaluationFailed)."""
        try:
            return self._outputs(self.evaluator(runtime))
        except TemplateError as error:
            raise ArmError(
                400,
                "DeploymentOutputEvaluationFailed",
                f"The template output is not valid: {error.message}",
                gateway=True,
            ) from None

    def _outputs(self, evaluator: Evaluator) -> Json:
        out: Json = {}
        for name, source in _section(self.template, "outputs").items():
            if not isinstance(source, dict):
                raise parse_failed(name, "TemplateOutputParameter")
            kind = type_of(source.get("type"), name)
            if evaluator.static(source.get("condition", True)) is False:
                continue
            loop = source.get("copy")
            if isinstance(loop, dict):
                value: Any = evaluator.repeated({"name": name, **loop}, main=True)
            else:
                value = evaluator.tree(source.get("value"))
            out[camel(name)] = {"type": kind} if is_secure(kind) or value is UNKNOWN else {"type": kind, "value": value}
        return out


def parse_failed(member: str, kind: str) -> ArmError:
    """400 InvalidTemplate for a member that a template does not have."""
    return ArmError(
        400,
        "InvalidTemplate",
        f"Deployment template parse failed: 'Could not find member '{member}' on object of type '{kind}'. Path '{member}'.'.",
        gateway=True,
    )


def _check_members(template: Json) -> None:
    for key in template:
        if key.lower() not in MEMBERS:
            raise parse_failed(key, "Template")
    for wanted in ("$schema", "contentVersion", "resources"):
        if wanted not in template:
            raise ArmError(
                400,
                "InvalidTemplate",
                f"Deployment template parse failed: 'Required property '{wanted}' not found in JSON. Path ''.'.",
                gateway=True,
            )


def _section(template: Json, name: str) -> Json:
    found = template.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise parse_failed(name, "Template")
    return found


def _resources(template: Json) -> list[tuple[str, Json]]:
    """Resources as a list, or with symbolic names as an object."""
    found = template["resources"]
    pairs = (
        list(found.items()) if isinstance(found, dict) else [("", one) for one in found or []] if isinstance(found, list | None) else None
    )
    if pairs is None or not all(isinstance(one, dict) for _, one in pairs):
        raise parse_failed("resources", "Template")
    return pairs


def _user_functions(template: Json) -> dict[str, Json]:
    out: dict[str, Json] = {}
    for group in template.get("functions") or []:
        if isinstance(group, dict) and isinstance(group.get("members"), dict):
            for name, definition in group["members"].items():
                out[f"{group.get('namespace', '')}.{name}".lower()] = definition
    return out
