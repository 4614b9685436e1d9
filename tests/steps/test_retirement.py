"""Retiring versions in a gallery."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.sandbox.store import Resource
from include.steps import retirement
from include.steps.azure import Azure
from include.steps.errors import StepError, StepSkipped
from tests.sandbox_transport import AsyncStaticCredential, SandboxTransport
from tests.steps.build_line import DEFINITION, GALLERIES, GROUP, HOME, Killed, Line
from tests.steps.planned import promised, writes
from tests.steps.seeded import PATH, PROMOTED, gallery_line, seed, tags_of, version_of


def since(days: float) -> dict[str, str]:
    return {**PROMOTED, "image-factory-retired": (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")}


def form(**fields: Any) -> dict[str, Any]:
    return {**PATH, "keep": 1, "older_than": 30, "rollback": 0, "wait": 7, "dry_run": False, **fields}


async def plan_of(line: Line, **fields: Any) -> dict[str, Any]:
    document: dict[str, Any] = await retirement.plan(line.azure, form=form(**fields))
    return document


async def retired(line: Line, **fields: Any) -> dict[str, Any]:
    document = await plan_of(line, **fields)
    line.transport.calls.clear()
    result: dict[str, Any] = await retirement.retire(line.azure, **document["steps"]["retire_versions"])
    assert writes(line) == promised(document)
    return result


def machine(line: Line, name: str, image: str, exact: str | None = None, of: Azure | None = None, key: str = "id") -> None:
    """A machine made from an image, straight into the store."""
    id = (of or line.azure).id("apps", "virtualMachines", name)
    reference = {key: image, **({"exactVersion": exact} if exact else {})}
    body = {
        "id": id,
        "name": name,
        "type": "Microsoft.Compute/virtualMachines",
        "location": HOME,
        "properties": {"storageProfile": {"imageReference": reference}, "provisioningState": "Succeeded"},
    }
    line.sandbox.store.add(Resource(id, "Microsoft.Compute/virtualMachines", body, {}))


def names(line: Line) -> set[str]:
    keys = line.sandbox.store.collection(f"{line.azure.id(GALLERIES, 'galleries', 'images', 'images', DEFINITION)}/versions".lower())
    return {resource.name for resource in keys.values()}


async def four_versions() -> Line:
    """The newest is latest; one is due, one waits, one has waited long enough."""
    line = await gallery_line()
    seed(line, "4.0.0", age=1)
    seed(line, "3.0.0", age=99)
    seed(line, "2.0.0", age=99, excluded=True, tags=since(1))
    seed(line, "1.0.0", age=99, excluded=True, tags=since(8))
    return line


async def test_first_out_of_latest_then_a_wait_then_gone() -> None:
    line = await four_versions()
    result = await retired(line)
    (notice,) = result.pop("notices")
    assert result == {"excluded": ["images/ubuntu/3.0.0"], "deleted": ["images/ubuntu/1.0.0"], "spared": {}}
    assert (notice["event"], notice["text"].splitlines()) == ("retired", ["3.0.0: excluded", "1.0.0: deleted"])
    assert names(line) == {"4.0.0", "3.0.0", "2.0.0"}
    assert "image-factory-retired" in tags_of(line, "3.0.0")
    profile = version_of(line, "3.0.0").properties["publishingProfile"]
    assert profile["excludeFromLatest"] is True
    assert all(region["excludeFromLatest"] for region in profile["targetRegions"])
    definition = line.resource("galleries/images", "images", DEFINITION, group=GALLERIES)
    assert definition.body["tags"]["image-factory-retired-up-to"] == "1.0.0"


async def test_a_dry_run_says_why_each_version_stays_or_goes_and_writes_nothing() -> None:
    line = await four_versions()
    with pytest.raises(StepSkipped, match="dry run") as caught:
        await plan_of(line, dry_run=True)
    text = caught.value.result["text"]
    for said in ("4.0.0", "kept: one of the 1 newest", "to go out of latest now", "out of latest, and waiting", "to be deleted now"):
        assert said in text
    assert not writes(line)


@pytest.mark.parametrize(("variable", "dry"), [("", True), ("no", True), ("on", False), (" On", False)])
async def test_a_run_that_says_nothing_is_dry_until_the_variable_says_otherwise(variable: str, dry: bool) -> None:
    line = await four_versions()
    unsaid = form(dry_run=None)
    if dry:
        with pytest.raises(StepSkipped, match="dry run"):
            await retirement.plan(line.azure, form=unsaid, switch=variable)
    else:
        assert (await retirement.plan(line.azure, form=unsaid, switch=variable))["calls"]


async def test_machines_and_versions_made_from_a_version_keep_it() -> None:
    """By the exact version, by the version's own id, and as the source of a copy; a machine of an unknown version holds only latest."""
    line = await gallery_line()
    seed(line, "9.0.0", age=1)
    ids = {name: seed(line, name, age=99, excluded=True, tags=since(8)) for name in ("1.0.0", "2.0.0", "3.0.0", "4.0.0", "5.0.0")}
    definition = ids["1.0.0"].rpartition("/versions/")[0]
    machine(line, "by-id", ids["1.0.0"].upper().replace("/SUBSCRIPTIONS/", "/subscriptions/"))
    machine(line, "by-exact", definition, exact="2.0.0")
    machine(line, "unknown", definition)
    other = line.resource("galleries/images", "images", DEFINITION, group=GALLERIES)
    line.sandbox.store.add(Resource(f"{other.id}-copies", other.type, {**other.body, "name": f"{DEFINITION}-copies"}, {}))
    seed(line, "7.0.0", definition=f"{DEFINITION}-copies", source=ids["3.0.0"])
    seed(line, "8.0.0", definition=f"{DEFINITION}-copies", tags={"image-factory-base": ids["4.0.0"]})
    # A copy in a second gallery is the same version once more.
    seed(line, "5.0.0", definition=f"{DEFINITION}-copies", source=ids["5.0.0"], tags={"image-factory-copied-from": ids["5.0.0"]})
    result = await retired(line)
    assert result["deleted"] == ["images/ubuntu/5.0.0"]
    again = (await plan_of(line, parents_too=True))["text"]
    for said in ("in use by machine by-id", "in use by machine by-exact", "in use by version images/ubuntu-copies/7.0.0"):
        assert said.lower() in again.lower()
    assert (await retired(line, parents_too=True))["deleted"] == ["images/ubuntu/4.0.0"]


async def test_scale_sets_and_their_instances_keep_what_they_were_made_from() -> None:
    """A set that names a version holds that; one that follows latest holds what its instances were made from at their time."""
    line = await gallery_line()
    definition = seed(line, "1.0.0", age=99).rpartition("/versions/")[0]
    for set_name, image in (("follows", definition), ("names", f"{definition}/versions/1.0.0")):
        await scale_set(line, set_name, image)
    seed(line, "9.0.0", age=1)
    await line.azure.finish(
        line.azure.compute.virtual_machine_scale_sets.begin_update, GROUP, "names", {"sku": {"capacity": 0}}, kind="scale"
    )
    with pytest.raises(StepSkipped, match="2 keep") as caught:
        await plan_of(line)
    for user in ("instance follows/0", "scale set names"):
        assert user in caught.value.result["text"]


async def shared(line: Line, kind: str) -> tuple[str, str]:
    """Let others use the gallery; the field of a reference that names the image then, and the id of the definition there."""
    properties = line.resource("galleries", "images", group=GALLERIES).properties
    # A gallery is made for the one or the other, or for neither, as this one was.
    properties["sharingProfile"] = (
        {"permissions": "Groups"}
        if kind == "direct share"
        else {"permissions": "Community", "communityGalleryInfo": {"publicNamePrefix": "factory", "publicNames": ["factory-1"]}}
    )
    given: dict[str, Any] = {"operationType": "EnableCommunity"}
    if kind == "direct share":
        given = {"operationType": "Add", "groups": [{"type": "Subscriptions", "ids": [line.azure.subscription_id]}]}
    await line.azure.finish(line.azure.compute.gallery_sharing_profile.begin_update, GALLERIES, "images", given, kind="share")
    gallery = (await line.azure.compute.galleries.get(GALLERIES, "images")).as_dict()["properties"]
    if kind == "direct share":
        return "sharedGalleryImageId", f"/SharedGalleries/{gallery['identifier']['uniqueName']}/Images/{DEFINITION}"
    name = gallery["sharingProfile"]["communityGalleryInfo"]["publicNames"][0]
    return "communityGalleryImageId", f"/CommunityGalleries/{name}/Images/{DEFINITION}"


@pytest.mark.parametrize("kind", ["direct share", "community gallery"])
async def test_who_names_a_version_by_a_share_keeps_it_too(kind: str) -> None:
    """A scale set that names it; an instance of one that follows latest; a machine of another subscription; a version made from it."""
    line = await gallery_line()
    await line.azure.finish(line.azure.compute.virtual_machines.begin_delete, GROUP, "ubuntu-build", kind="virtualMachines DELETE")
    for number in range(1, 6):
        seed(line, f"{number}.0.0", age=99)
    key, definition = await shared(line, kind)
    await scale_set(line, "names", f"{definition}/Versions/1.0.0", key)
    await line.azure.finish(
        line.azure.compute.virtual_machine_scale_sets.begin_update, GROUP, "names", {"sku": {"capacity": 0}}, kind="scale"
    )
    await scale_set(line, "follows", f"{definition}/Versions/latest", key)
    elsewhere = line.azure.in_subscription(line.sandbox.directory.second_subscription_id)
    machine(line, "elsewhere", definition.upper(), "2.0.0", elsewhere, key)
    image = line.resource("galleries/images", "images", DEFINITION, group=GALLERIES)
    line.sandbox.store.add(Resource(f"{image.id}-copies", image.type, {**image.body, "name": f"{DEFINITION}-copies"}, {}))
    source = {"communityGalleryImageId" if kind == "community gallery" else "id": f"{definition}/Versions/3.0.0"}
    target = {
        "location": HOME,
        "properties": {"publishingProfile": {"targetRegions": [{"name": HOME}]}, "storageProfile": {"source": source}},
    }
    copies = (GALLERIES, "images", f"{DEFINITION}-copies", "1.0.0", target)
    await line.azure.finish(line.azure.compute.gallery_image_versions.begin_create_or_update, *copies, kind="versions PUT")
    seed(line, "9.0.0", age=1)
    text = (await plan_of(line))["text"]
    for version, user in (
        ("1.0.0", "scale set names"),
        ("2.0.0", "machine elsewhere"),
        ("3.0.0", f"version images/{DEFINITION}-copies/1.0.0"),
        ("5.0.0", "instance follows/0"),
    ):
        assert re.search(rf"{re.escape(version)} +kept: in use by {user}", text), (version, text)
    assert re.search(r"4\.0\.0 +to go out of latest now", text)


async def scale_set(line: Line, name: str, image: str, named_by: str = "id") -> None:
    subnet = f"{line.azure.id(GROUP, 'virtualNetworks', 'net', provider='Microsoft.Network')}/subnets/build"
    address = {"name": "ip", "properties": {"subnet": {"id": subnet}}}
    key = {"path": "/home/builder/.ssh/authorized_keys", "keyData": "ssh-rsa AAAA builder@example.com"}
    profile = {
        "osProfile": {"computerNamePrefix": "web", "adminUsername": "builder", "linuxConfiguration": {"ssh": {"publicKeys": [key]}}},
        "storageProfile": {"imageReference": {named_by: image}, "osDisk": {"createOption": "FromImage"}},
        "networkProfile": {
            "networkInterfaceConfigurations": [{"name": "nic", "properties": {"primary": True, "ipConfigurations": [address]}}]
        },
    }
    properties = {"upgradePolicy": {"mode": "Manual"}, "virtualMachineProfile": profile}
    body = {"location": HOME, "sku": {"name": "Standard_D2s_v5", "capacity": 1}, "properties": properties}
    await line.azure.finish(line.azure.compute.virtual_machine_scale_sets.begin_create_or_update, GROUP, name, body, kind="scale sets")


async def test_users_in_every_subscription_that_the_identity_may_read_keep_a_version() -> None:
    line = await gallery_line()
    seed(line, "9.0.0", age=1)
    ids = {name: seed(line, name, age=99, excluded=True, tags=since(8)) for name in ("1.0.0", "2.0.0")}
    other = line.azure.in_subscription(line.sandbox.directory.second_subscription_id)
    machine(line, "elsewhere", ids["1.0.0"], of=other)
    result = await retired(line)
    assert result["deleted"] == ["images/ubuntu/2.0.0"]
    with pytest.raises(StepSkipped) as caught:
        await plan_of(line)
    text, subscriptions = caught.value.result["text"], caught.value.result["subscriptions"]
    assert "in use by machine elsewhere" in text
    assert (len(subscriptions["read"]), subscriptions["unread"]) == (2, {})
    assert "Users were looked for in 2 subscription(s)" in text


async def test_a_subscription_that_cannot_be_read_is_named_with_the_reason_and_stops_nothing() -> None:
    line = await four_versions()
    other = line.sandbox.directory.second_subscription_id
    denial = {"status": 403, "code": "AuthorizationFailed", "message": "The client may not read here in {subscription}."}
    line.sandbox.faults.add(
        name="closed", match={"method": "GET", "type": "Microsoft.Compute/virtualMachines", "subscription": other}, effect={"error": denial}
    )
    document = await plan_of(line)
    ((name, why),) = document["subscriptions"]["unread"].items()
    assert other in name
    assert "AuthorizationFailed" in why
    assert f"NOT looked for in {name}" in document["text"]
    assert (await retirement.retire(line.azure, **document["steps"]["retire_versions"]))["deleted"] == ["images/ubuntu/1.0.0"]


async def test_what_came_into_use_since_the_plan_is_spared_and_named() -> None:
    line = await four_versions()
    document = await plan_of(line)
    machine(line, "late", version_of(line, "1.0.0").id)
    result = await retirement.retire(line.azure, **document["steps"]["retire_versions"])
    assert result["spared"] == {"images/ubuntu/1.0.0": "in use by machine late"}
    assert "1.0.0" in names(line)


def pinned(version: Resource) -> None:
    version.body["tags"]["image-factory-pinned"] = "yes"


def latest_again(version: Resource) -> None:
    version.properties["publishingProfile"]["excludeFromLatest"] = False


def unmarked(version: Resource) -> None:
    del version.body["tags"]["image-factory-retired"]


@pytest.mark.parametrize(
    ("change", "said"),
    [(pinned, "somebody pinned it"), (latest_again, "somebody let latest resolve"), (unmarked, "somebody let latest resolve")],
)
async def test_what_somebody_changes_while_others_are_deleted_is_spared(change: Callable[[Resource], None], said: str) -> None:
    """One at a time: the second is looked at once more when the first is gone."""
    line = await gallery_line()
    seed(line, "4.0.0", age=1)
    for name in ("1.0.0", "0.9.0"):
        seed(line, name, age=99, excluded=True, tags=since(8))
    document = await plan_of(line)
    retiring = asyncio.create_task(retirement.retire(line.azure, **document["steps"]["retire_versions"], at_once=1))
    first, second = document["steps"]["retire_versions"]["definitions"][0]["delete"]
    await asyncio.sleep(60)
    assert version_of(line, first).state == "Deleting"
    change(version_of(line, second))
    result = await retiring
    assert result["deleted"] == [f"images/ubuntu/{first}"]
    assert [said in why for why in result["spared"].values()] == [True]
    assert second in names(line)


@pytest.mark.parametrize(("before", "after"), [("0.5.0", "1.0.0"), ("1.0.0", "1.0.0"), ("3.5.0", "3.5.0")])
async def test_the_definition_never_forgets_the_highest_number_that_was_retired(before: str, after: str) -> None:
    line = await four_versions()
    definition = line.resource("galleries/images", "images", DEFINITION, group=GALLERIES)
    definition.body["tags"] = {"cost-centre": "7", "image-factory-retired-up-to": before}
    line.sandbox.store.touch(definition)
    await retired(line)
    there = line.resource("galleries/images", "images", DEFINITION, group=GALLERIES)
    assert there.body["tags"] == {"cost-centre": "7", "image-factory-retired-up-to": after}


async def test_one_that_azure_does_not_let_go_is_named_and_the_others_go() -> None:
    line = await four_versions()
    seed(line, "0.9.0", age=99, excluded=True, tags=since(8))
    error = {"status": 409, "code": "ScopeLocked", "message": "The scope is locked."}
    line.sandbox.faults.add(name="lock", match={"method": "DELETE", "name": "1.0.0"}, effect={"error": error})
    document = await plan_of(line)
    with pytest.raises(StepError, match=r"2 of 3 versions are done, 1 are not. images/ubuntu/1.0.0: .*locked") as caught:
        await retirement.retire(line.azure, **document["steps"]["retire_versions"])
    assert (caught.value.code, caught.value.kind) == ("PartlyRetired", "permanent")
    assert names(line) == {"4.0.0", "3.0.0", "2.0.0", "1.0.0"}


async def test_a_second_try_tells_what_the_first_did_too() -> None:
    """Nothing that the run did goes untold because a part of it failed first."""
    line = await four_versions()
    denial = {"status": 409, "code": "ScopeLocked", "message": "The scope is locked."}
    match = {"method": "DELETE", "type": "Microsoft.Compute/galleries/images/versions"}
    line.sandbox.faults.add(name="locked", match=match, effect={"error": denial})
    document = await plan_of(line)
    with pytest.raises(StepError, match="1 of 2 versions are done") as caught:
        await retirement.retire(line.azure, **document["steps"]["retire_versions"])
    assert [notice["text"] for notice in caught.value.notices] == ["3.0.0: excluded"]
    line.sandbox.faults.clear()
    for _ in range(2):
        result = await retirement.retire(line.azure, **document["steps"]["retire_versions"])
        assert (result["excluded"], result["deleted"], result["spared"]) == (["images/ubuntu/3.0.0"], ["images/ubuntu/1.0.0"], {})
        (notice,) = result["notices"]
        assert notice["text"] == "3.0.0: excluded\n1.0.0: deleted"


async def elsewhere(line: Line, name: str) -> str:
    """A definition of that name beside the other one, with four versions like it; its id."""
    image = line.resource("galleries/images", "images", DEFINITION, group=GALLERIES)
    line.sandbox.store.add(
        Resource(image.id.replace(f"/{DEFINITION}", f"/{name}"), image.type, {**image.body, "name": name, "tags": {}}, {})
    )
    for version, days in (("2.0.0", 1), ("1.0.0", 99)):
        seed(line, version, age=days, definition=name, excluded=days > 1, tags=since(8) if days > 1 else None)
    return image.id.replace(f"/{DEFINITION}", f"/{name}")


async def both(line: Line) -> list[dict[str, Any]]:
    """What is planned for two definitions."""
    return [
        (await retirement.plan(line.azure, form=form(definition=name)))["steps"]["retire_versions"]["definitions"][0]
        for name in (DEFINITION, "other")
    ]


async def test_a_definition_that_azure_lets_nobody_mark_delays_no_other() -> None:
    line = await four_versions()
    other = await elsewhere(line, "other")
    planned = await both(line)
    line.sandbox.store.get(other).body["tags"] = {f"tag {number}": "full" for number in range(50)}
    with pytest.raises(StepError, match=r"2 of 3 versions are done, 1 are not. images/other/1.0.0: .*50 tags") as caught:
        await retirement.retire(line.azure, definitions=planned)
    assert caught.value.about == (f"{GALLERIES}/images/other",)
    assert names(line) == {"4.0.0", "3.0.0", "2.0.0"}


async def test_what_was_planned_for_a_definition_that_somebody_deleted_meanwhile_is_named() -> None:
    line = await four_versions()
    other = await elsewhere(line, "other")
    planned = await both(line)
    for id in (f"{other}/versions/1.0.0", f"{other}/versions/2.0.0", other):
        there = line.sandbox.store.get(id)
        assert there is not None
        line.sandbox.store.drop(there)
    result = await retirement.retire(line.azure, definitions=planned)
    assert result["spared"] == {"images/other/1.0.0": "its image definition is gone"}
    assert result["deleted"] == ["images/ubuntu/1.0.0"]
    told = await retirement.report(line.azure, definitions=[PATH, {**PATH, "definition": "other"}])
    assert told["versions"] == {"images/ubuntu": 3, "images/other": 0}


@pytest.mark.parametrize("type", ["Microsoft.Compute/galleries/images", "Microsoft.Compute/virtualMachineScaleSets/virtualMachines"])
async def test_what_is_deleted_while_users_are_looked_for_hides_no_other_user(type: str) -> None:
    """A scale set or a gallery that was listed, and is gone when what is in it is asked for."""
    line = await four_versions()
    await scale_set(line, "going", version_of(line, "4.0.0").id)
    machine(line, "holds", version_of(line, "1.0.0").id)
    other = line.azure.id("apps", "galleries", "going")
    gallery = line.resource("galleries", "images", group=GALLERIES)
    line.sandbox.store.add(Resource(other, gallery.type, {**gallery.body, "id": other, "name": "going"}, {}))
    error = {"status": 404, "code": "ResourceNotFound", "message": "It is gone."}
    match = {"method": "GET", "type": type} | ({"group": "apps"} if type.endswith("images") else {})
    line.sandbox.faults.add(name="gone", match=match, effect={"error": error})
    assert "in use by machine holds" in (await plan_of(line))["text"]


class Slow(SandboxTransport):
    """A way to Azure on which each write of versions is under way for an hour."""

    async def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
        if request.method in ("PUT", "PATCH") and "/versions/" in request.url:
            await asyncio.sleep(3600)
        return await super().send(request, stream=stream, **options)


async def test_a_pin_that_somebody_sets_while_a_version_goes_out_of_latest_stays_and_keeps_it() -> None:
    line = await four_versions()
    document = await plan_of(line)
    slow = Azure(AsyncStaticCredential(), line.sandbox.subscription_id, transport=Slow(line.sandbox))
    task = asyncio.create_task(retirement.retire(slow, **document["steps"]["retire_versions"]))
    await asyncio.sleep(1800)
    tags_of(line, "3.0.0")["image-factory-pinned"] = "an audit"
    await task
    assert tags_of(line, "3.0.0")["image-factory-pinned"] == "an audit"
    version_of(line, "3.0.0").body["tags"]["image-factory-retired"] = since(8)["image-factory-retired"]
    with pytest.raises(StepSkipped) as caught:
        await plan_of(line)
    assert re.search(r"3\.0\.0 +kept: pinned \(an audit\)", caught.value.result["text"])


@pytest.mark.parametrize(("tag", "why"), [("image-factory-pinned", "somebody pinned it"), ("image-factory-wave", "somebody promoted it")])
async def test_what_somebody_came_to_need_since_it_was_judged_is_spared(tag: str, why: str) -> None:
    """The first write is long on its way to another version; the pin, or the promotion, comes before the second."""
    line = await four_versions()
    seed(line, "2.5.0", age=99)
    document = await plan_of(line)
    arguments = document["steps"]["retire_versions"]
    slow = Azure(AsyncStaticCredential(), line.sandbox.subscription_id, transport=Slow(line.sandbox))
    task = asyncio.create_task(retirement.retire(slow, **arguments, at_once=1))
    await asyncio.sleep(1800)
    tags_of(line, "2.5.0")[tag] = "1 of 1 at 2026-11-23T00:00:00+00:00"
    result = await task
    assert result["spared"] == {"images/ubuntu/2.5.0": why}
    assert "image-factory-retired" not in tags_of(line, "2.5.0")


async def test_a_mark_that_somebody_wrote_by_hand_is_no_reason_to_fail_and_none_to_delete() -> None:
    line = await four_versions()
    for name, mark in (("1.0.0", "yes"), ("2.0.0", "2026-01-01")):
        tags_of(line, name)["image-factory-retired"] = mark
    result = await retired(line)
    assert (result["excluded"], result["deleted"]) == (["images/ubuntu/1.0.0", "images/ubuntu/3.0.0"], ["images/ubuntu/2.0.0"])
    datetime.fromisoformat(tags_of(line, "1.0.0")["image-factory-retired"])


@pytest.mark.parametrize("kind", ["direct share", "community gallery"])
async def test_where_others_may_use_a_version_unseen_the_plan_says_so_and_deletes_only_by_a_word(kind: str) -> None:
    line = await four_versions()
    await shared(line, kind)
    profile = line.resource("galleries", "images", group=GALLERIES)
    stranger = "33333333-0000-4000-8000-000000000001"
    if kind == "direct share":
        profile.private["groups"]["Subscriptions"].append(stranger)
    document = await plan_of(line)
    who = f"subscription {stranger}" if kind == "direct share" else "everybody, as factory-1"
    text = document["text"]
    assert f"SHARED with {who}: who uses its versions there cannot be seen from here" in text
    assert re.search(rf"1\.0\.0 +out of latest, and waiting: for the word 'Shared, too', as {who} may use it", text)
    assert (await retired(line))["deleted"] == []
    assert (await retired(line, shared_too=True))["deleted"] == ["images/ubuntu/1.0.0"]


async def test_a_share_with_subscriptions_that_are_read_hides_nobody() -> None:
    line = await four_versions()
    await shared(line, "direct share")
    document = await plan_of(line)
    assert "SHARED" not in document["text"]
    assert (await retired(line))["deleted"] == ["images/ubuntu/1.0.0"]


async def test_a_version_is_judged_latest_only_where_it_can_be_used() -> None:
    line = await gallery_line()
    seed(line, "2.0.0", (HOME, "eastus2"), age=1)
    seed(line, "1.0.0", (HOME, "eastus2"), age=99)
    version_of(line, "2.0.0").private["replicas"]["eastus2"].update(state="Failed", fails={"message": "no"})
    with pytest.raises(StepSkipped, match="2 keep") as caught:
        await plan_of(line)
    assert "latest in eastus2" in caught.value.result["text"]


@pytest.mark.parametrize("mode", ["before", "after"])
async def test_a_killed_retirement_is_finished_by_the_next(mode: str) -> None:
    origin = await four_versions()
    arguments = (await plan_of(origin))["steps"]["retire_versions"]
    for at in range(8, 24, 3):
        line = origin.copy()
        line.transport.arm(at, mode)
        try:
            await retirement.retire(line.azure, **arguments)
        except (Killed, BaseExceptionGroup):
            pass
        line.transport.arm(0, mode)
        await retirement.retire(line.azure, **arguments)
        line.sandbox.advance()
        assert names(line) == {"4.0.0", "3.0.0", "2.0.0"}
        assert "image-factory-retired" in tags_of(line, "3.0.0")


async def test_five_hundred_versions_with_users_of_some_lose_exactly_the_right_ones() -> None:
    """Seeded at random; what must be left is worked out here by hand of the rules, from the seed's own facts."""
    chance = random.Random(500)
    line = await gallery_line()
    must_go = set()
    for number in range(500):
        name = f"1.0.{number}"
        old, waited, pinned = chance.random() < 0.8, chance.random() < 0.6, chance.random() < 0.05
        used, head = chance.random() < 0.1, number in (17, 230)
        tags = since(8 if waited else 2) | ({"image-factory-pinned": "yes"} if pinned else {})
        tags |= {f"image-factory-channel-{'prod' if number == 17 else 'dev'}": f"2026-01-0{1 + head}T00:00:00+00:00"} if head else {}
        id = seed(line, name, age=99 if old else 5, excluded=number < 490, tags=tags if number < 490 else None)
        if used:
            machine(line, f"vm-{number}", id)
        if old and waited and not (pinned or used or head) and number < 490:
            must_go.add(name)
    before = names(line)
    result = await retired(line, keep=5, rollback=2)
    assert len(must_go) > 100
    assert before - names(line) == must_go
    assert {label.rsplit("/", 1)[1] for label in result["deleted"]} == must_go
    refused = [status for _, _, status in line.calls if status == 429]
    assert refused == []


async def test_the_report_shows_what_each_version_is() -> None:
    line = await four_versions()
    told = await retirement.report(line.azure, definitions=[PATH])
    assert told["versions"] == {"images/ubuntu": 4}
    assert "| images/ubuntu | 4.0.0" in told["table"]
    assert "| latest" in told["table"]
    assert "retired 2026" in told["table"]


@pytest.fixture
def two_recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both publish to the gallery of a line; only the first has a definition there."""
    from tests.end_to_end.catalogue import small

    for name in ("one", "two"):
        text = small(name).replace("gallery: endtoend, resource_group: rg-end-to-end", f"gallery: images, resource_group: {GALLERIES}")
        (tmp_path / f"{name}.yaml").write_text(text + "retention: {keep: 1, older_than: 30d, rollback: 0, wait: 7d}\n")
    (tmp_path / "one.yaml").write_text((tmp_path / "one.yaml").read_text().replace("images,", f"images, definition: {DEFINITION},"))
    monkeypatch.setenv("IMAGE_FACTORY_RECIPES", str(tmp_path))


@pytest.mark.usefixtures("two_recipes")
async def test_all_recipes_are_judged_each_by_its_own_rules() -> None:
    """A recipe that has built nothing yet is left out, and takes no part."""
    line = await four_versions()
    document = await retirement.plan(line.azure, form={"dry_run": False})
    assert [one["asked"]["definition"] for one in document["steps"]["retire_versions"]["definitions"]] == [DEFINITION]
    assert [
        call["path"].partition(f"/images/{DEFINITION}")[2].removesuffix("/providers/Microsoft.Resources/tags/default")
        for call in document["calls"]
    ] == ["", "/versions/3.0.0", "/versions/3.0.0", "/versions/1.0.0"]


@pytest.mark.usefixtures("two_recipes")
async def test_a_form_wins_over_the_rules_of_the_recipe_that_it_names() -> None:
    line = await four_versions()
    asked = {"recipe": "one", "dry_run": False}
    (own,) = (await retirement.plan(line.azure, form=asked))["steps"]["retire_versions"]["definitions"]
    assert (own["exclude"], own["delete"]) == (["3.0.0"], ["1.0.0"])
    longer = {**asked, "wait": 30, "keep": 2, "rollback": 1, "older_than": 98, "parents_too": True, "reason": "the disk is full"}
    with pytest.raises(StepSkipped, match=r"2 keep, 2 wait"):
        await retirement.plan(line.azure, form=longer)
    (shorter,) = (await retirement.plan(line.azure, form={**longer, "wait": 0}))["steps"]["retire_versions"]["definitions"]
    assert (shorter["exclude"], shorter["delete"]) == ([], ["2.0.0", "1.0.0"])
    assert (shorter["asked"]["parents_too"], shorter["asked"]["reason"]) == (True, "the disk is full")
    with pytest.raises(StepSkipped, match="4 keep"):
        await retirement.plan(line.azure, form={**longer, "older_than": 100})


@pytest.mark.usefixtures("two_recipes")
async def test_a_recipe_without_a_definition_is_refused_where_it_is_the_one_that_is_meant() -> None:
    line = await four_versions()
    with pytest.raises(StepError, match="DefinitionNotFound"):
        await retirement.plan(line.azure, form={"recipe": "two", "dry_run": False})
