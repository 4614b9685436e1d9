"""A plan as a reader sees it: what a dry run prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from include.factory.calls import calls_text

if TYPE_CHECKING:
    from include.factory.plan import Plan


def plan_text(plan: Plan) -> str:
    """The names, the version, the regions, the tasks in order and the calls that they make, a line each."""
    return "\n".join((*_head(plan), "", *_tasks(plan), "", calls_text(plan.calls), ""))


def _head(plan: Plan) -> Iterator[str]:
    group = plan.steps["build_machine.create_resource_group"]
    yield f"Plan of {plan.recipe}, run {plan.run}"
    yield f"  version         {plan.version}"
    yield f"  id              {plan.version_id}"
    yield f"  base            {plan.base['id']}"
    yield f"  recipe digest   {plan.digest}"
    yield f"  captured by     {plan.route.replace('_', ' ')}"
    yield f"  built in        {group['name']} ({group['location']}), removed afterwards"
    for index, region in enumerate(plan.regions):
        encrypted = ", encrypted with the region's own set" if region.encryption_set else ""
        replicas = f"{region.replica_count} replica{'' if region.replica_count == 1 else 's'}"
        home = ", home" if index == 0 else ""
        yield f"  {'regions' if index == 0 else '':15} {region.name}: {replicas}, {region.storage_account_type}{home}{encrypted}"


def _tasks(plan: Plan) -> Iterator[str]:
    yield "Tasks, in order:"
    width = max(map(len, plan.steps))
    for number, (task, arguments) in enumerate(plan.steps.items(), start=1):
        yield f"  {number:2}. {task:{width}}  {_about(arguments)}"


def _about(arguments: dict[str, Any]) -> str:
    if "definition" in arguments and "gallery" in arguments and isinstance(arguments["gallery"], dict):
        return f"{arguments['gallery']['name']}/{arguments['definition']['name']} in {arguments['resource_group']['name']}"
    target = arguments.get("version") and f"{arguments['definition']} {arguments['version']}"
    words = [str(target or arguments.get("name") or arguments["virtual_machine"])]
    if "virtual_machine" in arguments and "name" in arguments:
        words.append(f"on {arguments['virtual_machine']}")
    if "script" in arguments:
        script = arguments["script"]
        words.append(f"runs {script['path']} ({script['sha256'][:12]})" if "path" in script else "runs its inline script")
        words.append(f"within {arguments['timeout']} s")
    if "sizes" in arguments:
        words.append(f"as {' or '.join(arguments['sizes'])}")
    if "source" in arguments:
        words.append(f"from {_source(arguments['source'])}")
    if "source_virtual_machine" in arguments:
        words.append(f"from {arguments['source_virtual_machine'].rpartition('/')[2]}")
    if "target_regions" in arguments:
        words.append(f"to {', '.join(region['name'] for region in arguments['target_regions'])}")
    if "when_failed" in arguments:
        words.append(f"only when one of {', '.join(arguments['when_failed'])} failed")
    return " ".join(words)


def _source(source: dict[str, Any]) -> str:
    if "image_reference" in source:
        reference = source["image_reference"]
        return str(reference["id"]) if "id" in reference else ":".join(reference[word] for word in ("publisher", "offer", "sku", "version"))
    if "snapshot" in source:
        return str(source["snapshot"]["os"])
    name = str(source.get("id") or source["os"]).rpartition("/")[2]
    return f"{source['kind'].replace('_', ' ')} {name}"
