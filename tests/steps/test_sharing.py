"""Who may read images: what recipes declare is granted, and what nobody declares is found."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.factory.share import Share
from include.factory.sharing import READER, assignment_name
from include.sandbox.directory import Directory
from include.steps import audit, gallery, sharing
from include.steps.errors import StepError, StepSkipped
from tests.factory.test_share import COMMUNITY, ONE, TWO
from tests.steps.build_line import DEFINITION, GALLERIES, GALLERY, HOME, Line
from tests.steps.killing import killed_at_each_call
from tests.steps.planned import done_as_planned, writes

RECIPE = """\
name: ubuntu
owner: team@example.com
os: {{type: Linux}}
base: "Canonical:ubuntu-24_04-lts:server:latest"
build: {{region: westeurope}}
publish: {{gallery: images, resource_group: galleries, publisher: factory}}
share: {share}
"""
COLLEAGUE = Directory().colleague.object_id
READERS = f"{{readers: [{{id: {ONE}, type: Group}}, {{id: {COLLEAGUE}, type: ServicePrincipal}}]}}"
DIRECT = f"{{subscriptions: [{ONE}, {TWO}], tenants: [{TWO}]}}"

Write = Callable[[str], int]


@pytest.fixture
def recipe(recipes: Path) -> Write:
    """Write the recipe `ubuntu` with what it says under `share`."""
    return lambda share: (recipes / "ubuntu.yaml").write_text(RECIPE.format(share=share))


async def published(share: dict[str, Any] | None = None) -> Line:
    """A version in a gallery that was made to be shared so."""
    line = await Line().up_to("ensure_gallery")
    profile = Share.model_validate(share or {}).profile()
    await gallery.ensure(line.azure, resource_group=GALLERIES, name=GALLERY, location=HOME, sharing=profile)
    await line.only("ensure_definition", "publish", "promote")
    line.calls.clear()
    return line


async def applied(line: Line, **form: Any) -> dict[str, Any]:
    """Planned and done; the plan's promise held to what was written."""
    return await done_as_planned(line, sharing.plan, sharing.apply, "apply", form)


def scope(line: Line) -> str:
    return line.azure.id(GALLERIES, "galleries", GALLERY, "images", DEFINITION)


def groups(line: Line) -> dict[str, list[str]]:
    found: dict[str, list[str]] = line.resource("galleries", GALLERY, group=GALLERIES).private.get("groups", {})
    return found


async def assign(line: Line, number: int, principal: str, scope: str, *, role: str = READER, kind: str = "User") -> None:
    """Somebody's own role assignment."""
    definition = f"/subscriptions/{line.azure.subscription_id}/providers/Microsoft.Authorization/roleDefinitions/{role}"
    body = {"properties": {"roleDefinitionId": definition, "principalId": principal, "principalType": kind}}
    id = f"{scope}/providers/Microsoft.Authorization/roleAssignments/0a551900-0000-4000-8000-00000000000{number}"
    await line.azure.finish(line.azure.resources.resources.begin_create_or_update_by_id, id, body, api_version="2022-04-01", kind="x")


async def test_readers_get_the_role_on_the_definition_and_a_second_run_does_nothing(recipe: Write) -> None:
    recipe(READERS)
    line = await published()
    plan = await applied(line)
    assert [call["path"].rpartition("/")[2] for call in plan["calls"]] == [
        assignment_name(scope(line), one, READER) for one in (ONE, COLLEAGUE)
    ]
    assert (await applied(line))["calls"] == []
    told = await audit.report(line.azure)
    assert told["undeclared"] == {}
    assert f"group {ONE} is Reader on ubuntu" in told["text"]


async def test_a_gallery_is_shared_directly_with_what_is_missing(recipe: Write) -> None:
    recipe(DIRECT)
    line = await published({"subscriptions": [ONE]})
    assert len((await applied(line))["calls"]) == 1
    assert groups(line) == {"Subscriptions": [ONE, TWO], "AADTenants": [TWO]}
    assert (await applied(line))["calls"] == []
    assert (await audit.report(line.azure))["undeclared"] == {}


async def test_what_no_recipe_says_is_named_and_taken_away_only_where_asked(recipe: Write) -> None:
    recipe(DIRECT)
    line = await published({"subscriptions": [ONE]})
    await applied(line)
    recipe(f"{{subscriptions: [{ONE}]}}")
    plan = await applied(line)
    assert plan["calls"] == []
    assert plan["undeclared"] == {"images": [f"subscription {TWO} (direct)", f"tenant {TWO} (direct)"]}
    told = await audit.report(line.azure)
    assert told["undeclared"] == {"galleries/images/ubuntu": [f"subscription {TWO}", f"tenant {TWO}"]}
    (notice,) = told["notices"]
    assert (notice["event"], notice["definition"]) == ("undeclared", "galleries/images/ubuntu")
    assert f"tenant {TWO}" in notice["text"]
    await applied(line, revoke=True)
    assert groups(line) == {"Subscriptions": [ONE]}


async def test_only_its_own_assignments_are_taken_away(recipe: Write) -> None:
    recipe(READERS)
    line = await published()
    await applied(line)
    stranger = "22222222-0000-4000-8000-000000000001"
    await assign(line, 1, stranger, scope(line))
    await assign(line, 2, stranger, line.azure.id(GALLERIES))
    recipe(f"{{readers: [{ONE}]}}")
    plan = await applied(line, revoke=True)
    assert [call["method"] for call in plan["calls"]] == ["DELETE"]
    left = (await audit.report(line.azure))["undeclared"]["galleries/images/ubuntu"]
    assert sorted(left) == sorted(
        [f"user {stranger} is Reader on ubuntu", f"user {stranger} is Reader inherited from {line.azure.id(GALLERIES)}"]
    )


async def test_a_community_gallery_is_shown(recipe: Write) -> None:
    recipe(f"{{community: {COMMUNITY}}}")
    community = {"prefix": "contoso", "publisher_uri": "https://contoso.com", "contact": "a@contoso.com", "eula": "https://contoso.com"}
    line = await published({"community": community})
    await applied(line)
    told = await audit.report(line.azure)
    assert "everybody, as contoso-" in told["text"]
    assert told["undeclared"] == {}


async def test_how_a_gallery_is_shared_cannot_be_changed_and_the_plan_says_so(recipe: Write) -> None:
    recipe(DIRECT)
    line = await published()
    plan = await applied(line)
    assert plan["calls"] == []
    assert "it was made Private and the recipes say Groups" in plan["left_out"]["images"][0]
    assert [(notice["event"], notice["definition"]) for notice in plan["notices"]] == [("behind", "galleries/images/ubuntu")]


async def test_a_gallery_that_is_not_there_yet_is_left_to_its_first_build(recipe: Write) -> None:
    recipe(READERS)
    assert (await applied(Line()))["left_out"] == {"images": ["the gallery is not there yet: its first build makes it"]}


async def test_a_dry_run_writes_nothing(recipe: Write) -> None:
    recipe(READERS)
    line = await published()
    with pytest.raises(StepSkipped, match="dry run") as caught:
        await sharing.plan(line.azure, form={"dry_run": True})
    assert len(caught.value.result["calls"]) == 2
    assert not writes(line)


async def test_what_fails_is_named_and_stops_nothing_else(recipe: Write) -> None:
    recipe(READERS)
    line = await published()
    name = assignment_name(scope(line), ONE, READER)
    error = {"status": 403, "code": "AuthorizationFailed", "message": "no right to assign roles"}
    match = {"method": "PUT", "type": "Microsoft.Authorization/roleAssignments", "name": name}
    line.sandbox.faults.add(name="f", match=match, effect={"error": error})
    plan = await sharing.plan(line.azure, form={})
    with pytest.raises(StepError, match=rf"1 change\(s\) are done, 1 are not. images: grant {ONE}") as caught:
        await sharing.apply(line.azure, **plan["steps"]["apply"])
    assert (caught.value.kind, caught.value.code, caught.value.about) == ("permanent", "PartlyShared", ("ubuntu",))
    line.sandbox.faults.clear()
    # Its report is about the run: what the first try did is in it.
    assert await sharing.apply(line.azure, **plan["steps"]["apply"]) == {"galleries": {"images": 2}}
    assert (await applied(line))["calls"] == []


async def test_a_gallery_that_cannot_be_read_is_named_and_delays_no_other(recipe: Write, recipes: Path) -> None:
    recipe(READERS)
    (recipes / "second.yaml").write_text(
        RECIPE.format(share=READERS).replace("name: ubuntu", "name: second").replace("gallery: images", "gallery: closed")
    )
    line = await published()
    denial = {"status": 403, "code": "AuthorizationFailed", "message": "The client may not read it."}
    line.sandbox.faults.add(
        name="closed", match={"method": "GET", "type": "Microsoft.Compute/galleries", "name": "closed"}, effect={"error": denial}
    )
    plan = await applied(line)
    assert len(plan["calls"]) == 2
    assert plan["left_out"]["closed"][0].startswith("it cannot be read: The client may not read it. Grant the connection's identity")
    assert [(notice["event"], notice["definition"]) for notice in plan["notices"]] == [("behind", "galleries/closed/second")]


@pytest.mark.parametrize("mode", ["before", "after"])
@pytest.mark.parametrize("share", [READERS, DIRECT])
async def test_sharing_killed_at_any_call_and_run_again_ends_in_the_same_place(recipe: Write, share: str, mode: str) -> None:
    recipe(share)
    before = await published({"subscriptions": [ONE]} if share == DIRECT else None)
    arguments = (await sharing.plan(before.azure, form={}))["steps"]["apply"]
    calls = await killed_at_each_call(
        before, lambda world: sharing.apply(world.azure, **arguments), mode, lambda world: (world.state(), groups(world))
    )
    assert calls > 1


async def test_two_runs_at_once_end_as_one(recipe: Write) -> None:
    recipe(DIRECT)
    line = await published({"subscriptions": [ONE]})
    arguments = (await sharing.plan(line.azure, form={}))["steps"]["apply"]
    await asyncio.gather(sharing.apply(line.azure, **arguments), sharing.apply(Line(line.sandbox).azure, **arguments))
    assert groups(line) == {"Subscriptions": [ONE, TWO], "AADTenants": [TWO]}
