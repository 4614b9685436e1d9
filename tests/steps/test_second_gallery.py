"""Second galleries, kept in step with the first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.factory.second_gallery import VersionAction
from include.factory.sharing import READER, assignment_name
from include.sandbox.directory import Directory
from include.steps import second_gallery, sharing
from include.steps.azure import Azure
from include.steps.errors import StepError, StepSkipped
from include.steps.replication import Replication
from include.steps.version import Version
from tests.sandbox.vaults import make_key
from tests.sandbox_transport import AsyncStaticCredential
from tests.steps.build_line import DEFINITION, GALLERIES, GALLERY, HOME, TAGS, VERSION, Line, region
from tests.steps.killing import killed_at_each_call
from tests.steps.planned import done_as_planned, writes
from tests.steps.test_replication import broken

RECIPE = """\
name: ubuntu
owner: team@example.com
os: {{type: Linux}}
base: "Canonical:ubuntu-24_04-lts:server:latest"
build: {{region: westeurope}}
publish: {{gallery: images, resource_group: galleries, publisher: factory}}
replicate: [northeurope]
disaster_recovery: {{gallery: images2, resource_group: galleries2, location: northeurope, regions: [uksouth], keep: 2{more}}}
"""
NUMBERS = ("2026.1121.20000", "2026.1122.20000", "2026.1123.20000")
PATH = {"resource_group": GALLERIES, "gallery": GALLERY, "definition": DEFINITION}
SECOND = Directory().second_subscription_id


@pytest.fixture
def recipe(recipes: Path) -> Callable[[str], None]:
    """Write the recipe `ubuntu`, with more fields of `disaster_recovery`."""

    def write(more: str = "") -> None:
        (recipes / "ubuntu.yaml").write_text(RECIPE.format(more=more))

    write()
    return write


async def three_versions() -> Line:
    """Published, brought to northeurope and promoted, one after the other."""
    line = await Line().up_to("publish")
    for number in NUMBERS:
        tags = {**TAGS, "image-factory-recipe": "ubuntu", "image-factory-digest": f"sha256:{number}"}
        await line.run("publish", version=number, tags=tags)
        await line.run("replicate", version=number, target_regions=[region(HOME), region("northeurope")])
        await line.run("promote", version=number)
    line.calls.clear()
    return line


async def kept(line: Line, **form: Any) -> dict[str, Any]:
    """Planned and done; the plan's promise held to what was written."""
    return await done_as_planned(line, second_gallery.plan, second_gallery.keep, "keep", form)


def copy_of(line: Line, number: str, subscription: str | None = None) -> Any:
    azure = line.azure.in_subscription(subscription)
    return line.sandbox.resource(azure.id("galleries2", "galleries", "images2", "images", "ubuntu", "versions", number))


async def encryption_set(line: Line, location: str) -> str:
    """Make a disk encryption set of that region; its id."""
    await line.run("ensure_resource_group", name="keys")
    vault = f"{line.azure.id('keys', 'disks', '').split('/providers/')[0]}/providers/Microsoft.KeyVault/vaults/{location}"
    body = {
        "location": location,
        "identity": {"type": "SystemAssigned"},
        "properties": {"activeKey": make_key(line.sandbox, vault, location)},
    }
    await line.azure.finish(line.azure.compute.disk_encryption_sets.begin_create_or_update, "keys", location, body, kind="sets PUT")
    return line.azure.id("keys", "diskEncryptionSets", location)


async def set_excluded(line: Line, number: str) -> None:
    await second_gallery._set_flags(Version(line.azure, **PATH, version=number), True)


@pytest.mark.parametrize("subscription", [None, SECOND])
async def test_the_newest_promoted_versions_are_copied_with_their_regions_tags_and_flags(
    recipe: Callable[[str], None], subscription: str | None
) -> None:
    recipe(f", subscription: {subscription}" if subscription else "")
    line = await three_versions()
    await kept(line)
    assert copy_of(line, NUMBERS[0], subscription) is None
    for number in NUMBERS[1:]:
        copy = copy_of(line, number, subscription)
        assert copy.location == "northeurope"
        assert {name: one["state"] for name, one in copy.private["replicas"].items()} == {
            "northeurope": "Completed",
            "uksouth": "Completed",
        }
        assert not copy.properties["publishingProfile"]["excludeFromLatest"]
        assert copy.body["tags"]["image-factory-digest"] == f"sha256:{number}"
        assert copy.body["tags"]["image-factory-copied-from"].endswith(f"/versions/{number}")
    told = await second_gallery.report(line.azure, recipes=["ubuntu"])
    assert told["behind"] == {}
    assert NUMBERS[2] in told["table"]


async def test_a_second_run_has_nothing_to_do(recipe: Callable[[str], None]) -> None:
    line = await three_versions()
    await kept(line)
    with pytest.raises(StepSkipped, match="are in step"):
        await second_gallery.plan(line.azure, form={})


async def test_a_dry_run_writes_nothing(recipe: Callable[[str], None]) -> None:
    line = await three_versions()
    with pytest.raises(StepSkipped, match="dry run") as caught:
        await second_gallery.plan(line.azure, form={"dry_run": True})
    assert len(caught.value.result["calls"]) == 3 + 2 * 3
    assert not writes(line)


async def test_what_was_rolled_back_leaves_latest_in_the_second_gallery_too(recipe: Callable[[str], None]) -> None:
    line = await three_versions()
    await kept(line)
    await set_excluded(line, NUMBERS[2])
    await kept(line)
    assert copy_of(line, NUMBERS[2]).properties["publishingProfile"]["excludeFromLatest"]
    # The one before is now among the newest promoted: it is copied, so that two good ones are there.
    assert copy_of(line, NUMBERS[0]) is not None


async def test_a_region_that_somebody_took_away_comes_back(recipe: Callable[[str], None]) -> None:
    line = await three_versions()
    await kept(line)
    version = Version(line.azure, "galleries2", "images2", "ubuntu", NUMBERS[2])
    await Replication(version, [], 9999, remove=["uksouth"]).run()
    await kept(line)
    assert set(copy_of(line, NUMBERS[2]).private["replicas"]) == {"northeurope", "uksouth"}


async def test_a_retired_version_is_named_and_deleted_only_where_asked(recipe: Callable[[str], None]) -> None:
    line = await three_versions()
    await kept(line)
    await Version(line.azure, **PATH, version=NUMBERS[1]).delete()
    plan = await kept(line)
    assert plan["extra"] == {"ubuntu": {NUMBERS[1]: "it is in the second gallery only (retired in the first): `delete_retired` deletes it"}}
    assert copy_of(line, NUMBERS[1]) is not None
    await kept(line, delete_retired=True)
    assert copy_of(line, NUMBERS[1]) is None
    assert copy_of(line, NUMBERS[0]) is not None


async def test_a_version_that_is_not_where_it_would_be_copied_is_left_out_with_the_reason(recipe: Callable[[str], None]) -> None:
    line = await Line().up_to("publish")
    await line.run("publish")
    await line.run("promote")
    plan = await kept(line)
    assert plan["calls"] == []
    assert "it is not in northeurope, and a copy is made where it is" in plan["left_out"]["ubuntu"][VERSION]
    (notice,) = (await second_gallery.report(line.azure, recipes=["ubuntu"]))["notices"]
    assert (notice["event"], notice["recipe"]) == ("behind", "ubuntu")
    assert f"{VERSION}: it is not in northeurope" in notice["text"]


async def test_a_version_that_fails_delays_no_other_and_a_second_try_does_what_is_left(recipe: Callable[[str], None]) -> None:
    line = await three_versions()
    line.sandbox.faults.add(**broken("uksouth", "readd", count=1))
    match = line.sandbox.faults.rules[-1].match
    match["name"] = NUMBERS[2]
    line.sandbox.faults.add(name="for ever", match={**match}, effect=broken("uksouth", "readd")["effect"])
    plan = await second_gallery.plan(line.azure, form={})
    with pytest.raises(StepError, match=rf"1 version\(s\) are done, 1 are not. ubuntu {NUMBERS[2]}") as caught:
        await second_gallery.keep(line.azure, **plan["steps"]["keep"])
    assert (caught.value.code, caught.value.about) == ("PartlyKept", ("ubuntu",))
    assert (await second_gallery.report(line.azure, recipes=["ubuntu"]))["behind"]["ubuntu"] == {NUMBERS[2]: "out of step"}
    line.sandbox.faults.clear()
    await second_gallery.keep(line.azure, **plan["steps"]["keep"])
    assert (await second_gallery.report(line.azure, recipes=["ubuntu"]))["behind"] == {}


async def test_a_second_definition_of_another_kind_is_named_and_left(recipe: Callable[[str], None]) -> None:
    line = await three_versions()
    await line.run("ensure_resource_group", name="galleries2")
    await line.run("ensure_gallery", resource_group="galleries2", name="images2")
    await line.run("ensure_definition", resource_group="galleries2", gallery="images2", os_state="Specialized")
    plan = await second_gallery.plan(line.azure, form={})
    assert plan["calls"] == []
    assert "OS state Specialized (the recipe says Generalized)" in plan["left_out"]["ubuntu"]["ubuntu"]


async def test_a_second_gallery_that_cannot_be_read_holds_up_no_other(recipe: Callable[[str], None], recipes: Path) -> None:
    line = await three_versions()
    path = recipes / "elsewhere.yaml"
    text = RECIPE.format(more=", connection: nobodys").replace("name: ubuntu", "name: elsewhere").replace("images, ", "others, ")
    path.write_text(text)
    plan = await kept(line)
    assert plan["left_out"] == {
        "elsewhere": {"elsewhere": "its galleries cannot be read: The connection 'nobodys' cannot be reached from here"}
    }
    assert copy_of(line, NUMBERS[2]) is not None
    told = await second_gallery.report(line.azure, recipes=["ubuntu", "elsewhere"])
    assert list(told["behind"]) == ["elsewhere"]


async def test_a_purchase_plan_goes_with_the_copies(recipe: Callable[[str], None]) -> None:
    plan = {"name": "9-base", "product": "rockylinux-x86_64", "publisher": "resf"}
    line = await three_versions()
    line.resource("galleries/images", GALLERY, DEFINITION, group=GALLERIES).properties["purchasePlan"] = plan
    await kept(line)
    assert line.resource("galleries/images", "images2", "ubuntu", group="galleries2").properties["purchasePlan"] == plan
    assert (await second_gallery.report(line.azure, recipes=["ubuntu"]))["behind"] == {}


async def test_an_unknown_recipe_is_refused(recipe: Callable[[str], None]) -> None:
    with pytest.raises(StepError, match=r"'other' is not in the catalogue.*With a second gallery: ubuntu"):
        await second_gallery.plan(Line().azure, form={"recipe": "other"})


@pytest.mark.parametrize("mode", ["before", "after"])
async def test_a_copy_killed_at_any_call_and_run_again_ends_in_the_same_place(recipe: Callable[[str], None], mode: str) -> None:
    before = await three_versions()
    arguments = (await second_gallery.plan(before.azure, form={}))["steps"]["keep"]
    arguments["recipes"][0]["versions"] = arguments["recipes"][0]["versions"][:1]
    calls = await killed_at_each_call(before, lambda world: second_gallery.keep(world.azure, **arguments), mode, Line.state)
    assert calls > 7


async def test_two_runs_at_once_make_one_copy(recipe: Callable[[str], None]) -> None:
    line = await three_versions()
    arguments = (await second_gallery.plan(line.azure, form={}))["steps"]["keep"]
    other = Line(line.sandbox)
    await asyncio.gather(second_gallery.keep(line.azure, **arguments), second_gallery.keep(other.azure, **arguments))
    assert (await second_gallery.report(line.azure, recipes=["ubuntu"]))["behind"] == {}
    made = [
        path.lower() for method, path, status in [*line.calls, *other.calls] if method == "PUT" and status == 201 and "/versions/" in path
    ]
    assert len(made) == len(set(made))


async def test_an_encrypted_version_is_never_copied_but_kept_in_step_once_its_build_published_it(
    recipe: Callable[[str], None], recipes: Path
) -> None:
    line = await Line().up_to("publish")
    sets = {name: await encryption_set(line, name) for name in (HOME, "northeurope", "uksouth")}
    recipe("")
    path = recipes / "ubuntu.yaml"
    encrypted = "[" + ", ".join(f"{{name: {name}, encryption_set: {id}}}" for name, id in sets.items()) + "]"
    path.write_text(path.read_text().replace("[northeurope]", encrypted).replace("[uksouth]", encrypted))
    await line.run("publish", target_regions=[region(HOME, encryption_set=sets[HOME])])
    await line.run("promote")
    assert "Azure copies no such version; builds publish theirs" in (await kept(line))["left_out"]["ubuntu"][VERSION]

    await line.run("ensure_resource_group", name="galleries2")
    await line.run("ensure_gallery", resource_group="galleries2", name="images2")
    await line.run("ensure_definition", resource_group="galleries2", gallery="images2")
    own = {"resource_group": "galleries2", "gallery": "images2", "target_regions": [region(HOME, encryption_set=sets[HOME])]}
    await line.run("publish", **own)
    await kept(line)
    copy = copy_of(line, VERSION)
    assert set(copy.private["replicas"]) == {HOME, "northeurope", "uksouth"}
    assert not copy.properties["publishingProfile"]["excludeFromLatest"]
    assert (await second_gallery.report(line.azure, recipes=["ubuntu"]))["behind"] == {}


async def test_a_copy_into_another_tenant_reads_here_what_it_writes_there(recipe: Callable[[str], None]) -> None:
    """By a connection of that tenant, whose application is Reader here and sends a token of each."""
    recipe(", connection: partner")
    own = Directory()
    line = Line(authenticate=True)
    line.azure = Azure(AsyncStaticCredential(line.sandbox.token()), own.subscription_id, transport=line.transport)
    await line.up_to("publish")
    await line.run("publish", version=NUMBERS[0])
    await line.run("replicate", version=NUMBERS[0], target_regions=[region(HOME), region("northeurope")])
    await line.run("promote", version=NUMBERS[0])
    here = own.find(own.tenant_id, own.partner_client_id)
    partner = Azure(
        AsyncStaticCredential(line.sandbox.token(own.partner)),
        own.partner_subscription_id,
        auxiliary_credentials=[AsyncStaticCredential(line.sandbox.token(here))],
        transport=line.transport,
    )

    async def connect(conn_id: str) -> Azure:
        assert conn_id == "partner"
        return partner

    with pytest.raises(StepError, match="cannot be reached from here"):
        await second_gallery.plan(line.azure, form={})
    plan = await second_gallery.plan(line.azure, form={}, connect=connect)
    assert all(f"/subscriptions/{own.partner_subscription_id}/" in call["path"] for call in plan["calls"])
    with pytest.raises(StepError) as refused:
        await second_gallery.keep(line.azure, **plan["steps"]["keep"], connect=connect)
    assert "LinkedAuthorizationFailed" in str(refused.value.details)

    gallery = line.azure.id(GALLERIES, "galleries", GALLERY)
    grant = {"principal": here.object_id, "type": "ServicePrincipal", "role": READER}
    name = f"{gallery}/providers/Microsoft.Authorization/roleAssignments/{assignment_name(gallery, here.object_id, READER)}"
    await sharing._grant(line.azure, name, grant)
    await second_gallery.keep(line.azure, **plan["steps"]["keep"], connect=connect)
    assert (await second_gallery.report(line.azure, recipes=["ubuntu"], connect=connect))["behind"] == {}


def test_an_action_that_does_nothing_is_empty() -> None:
    assert VersionAction(version="1.2.3").is_empty
