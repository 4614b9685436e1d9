"""Versions: published out of sight, promoted, discarded."""

from __future__ import annotations

from typing import Any

import pytest

from include.steps import image_version
from include.steps.errors import StepError, StepSkipped
from include.steps.look import PROMOTED_TAG, RUN_TAG
from tests.steps.build_line import GALLERIES, HOME, RUN, TAGS, VERSION, Line, region

VERSIONS = {"type": "Microsoft.Compute/galleries/images/versions", "method": "PUT"}
PIR = "InvalidBeginGetAccessForGalleryImageVersionSnapshotResponseFromPIR"


async def delete(line: Line, **changes: Any) -> Any:
    return await image_version.delete(line.azure, **{**line.version_arguments(), "run": RUN, **changes})


async def test_a_version_is_published_at_home_out_of_sight_of_latest_and_safe_from_stale_updates() -> None:
    line = await Line().through("publish")
    version = line.version()
    profile = version.properties["publishingProfile"]
    assert profile["excludeFromLatest"] is True
    assert [(one["name"], one["excludeFromLatest"], one["storageAccountType"]) for one in profile["targetRegions"]] == [
        ("West Europe", True, "Standard_LRS")
    ]
    assert version.properties["safetyProfile"]["allowDeletionOfReplicatedLocations"] is False
    assert version.body["tags"][RUN_TAG] == RUN


async def test_a_version_that_failed_is_deleted_and_published_again_under_the_same_number() -> None:
    line = await Line().up_to("publish")
    line.sandbox.faults.add(name="f", match=VERSIONS, effect={"operation": {"code": PIR, "message": "no access"}}, count=1)
    assert await line.run("publish") == {"id": line.version().id, "version": VERSION}
    assert (line.count("PUT", VERSION), line.count("DELETE", VERSION)) == (2, 1)
    assert line.version().state == "Succeeded"


async def test_a_version_left_failed_by_an_earlier_try_is_repaired_too() -> None:
    line = await Line().up_to("publish")
    line.sandbox.faults.add(name="f", match=VERSIONS, effect={"operation": {"code": PIR, "message": "no access"}}, count=3)
    with pytest.raises(StepError, match=PIR) as caught:
        await line.run("publish")
    assert caught.value.kind == "transient"
    assert line.count("PUT", VERSION) == 3, "bounded"
    await line.run("publish")
    assert line.version().state == "Succeeded"


async def test_a_mismatch_of_recipe_and_definition_is_permanent_and_not_tried_again() -> None:
    line = await Line().up_to("ensure_definition")
    await line.run("ensure_definition", os_state="Specialized")
    with pytest.raises(StepError, match="different OS state") as caught:
        await line.run("publish")
    assert caught.value.kind == "permanent"
    assert line.count("PUT", VERSION) == 1


async def test_a_version_number_of_another_run_is_refused() -> None:
    line = await Line().up_to("publish")
    await line.run("publish", tags={**TAGS, RUN_TAG: "other/run"})
    with pytest.raises(StepError, match="other/run") as caught:
        await line.run("publish")
    assert caught.value.code == "NameTaken"


async def test_a_version_of_ours_from_another_source_is_refused() -> None:
    line = await Line().up_to("publish")
    image = {"kind": "managed_image", "id": line.azure.id("image-build", "images", "image")}
    await line.run("publish", source=image)
    with pytest.raises(StepError, match="NameTaken"):
        await line.run("publish")


async def test_each_capture_route_becomes_a_version() -> None:
    for step in ("capture_source", "snapshot", "image"):
        line = await Line().up_to("publish")
        source = (await line.run(step))["source"]
        await line.run("publish", source=source)
        assert line.version().state == "Succeeded"
        assert [disk["lun"] for disk in line.version().properties["storageProfile"]["dataDiskImages"]] == [1], step


async def test_a_version_without_its_home_region_is_refused_before_anything_is_sent() -> None:
    line = await Line().up_to("publish")
    before = len(line.calls)
    with pytest.raises(StepError, match="home region"):
        await line.run("publish", target_regions=[region("northeurope")])
    assert len(line.calls) == before


async def test_encryption_sets_are_named_for_every_disk_of_the_machine() -> None:
    line = await Line().up_to("publish")
    des = line.azure.id("x", "diskEncryptionSets", "home")
    await line.run("publish", target_regions=[region(HOME, encryption_set=des)])
    sent = line.version().properties["publishingProfile"]["targetRegions"][0]["encryption"]
    assert sent["osDiskImage"]["diskEncryptionSetId"] == des
    assert [disk["lun"] for disk in sent["dataDiskImages"]] == [1]


async def test_promoting_takes_the_global_and_every_regional_flag_off_and_says_when() -> None:
    line = await Line().through("promote")
    profile = line.version().properties["publishingProfile"]
    assert profile["excludeFromLatest"] is False
    assert [one["excludeFromLatest"] for one in profile["targetRegions"]] == [False, False, False]
    tags = line.version().body["tags"]
    assert tags[PROMOTED_TAG]
    assert tags["image-factory-digest"] == "sha256:1", "the version's own tags stay"
    assert line.version().properties["safetyProfile"]["allowDeletionOfReplicatedLocations"] is False


async def test_a_version_that_is_not_completed_everywhere_is_not_promoted() -> None:
    line = await Line().up_to("replicate")
    line.sandbox.faults.add(
        name="f", match={**VERSIONS, "region": "northeurope"}, effect={"replication": {"message": "no capacity", "until": "readd"}}
    )
    body = {"name": "northeurope", "regionalReplicaCount": 1, "storageAccountType": "Standard_LRS", "excludeFromLatest": True}
    from include.steps.version import Version, update

    one = Version(line.azure, GALLERIES, "images", "ubuntu", VERSION)
    resource = await one.read()
    assert resource is not None
    wider = update(resource, excluded=True, tags=resource["tags"])
    wider["properties"]["publishingProfile"]["targetRegions"].append(body)
    await one.settle(RUN, 9999, await one.put(wider))
    with pytest.raises(StepError, match="northeurope") as caught:
        await line.run("promote")
    assert (caught.value.kind, caught.value.code) == ("permanent", "NotReplicated")
    assert line.version().properties["publishingProfile"]["excludeFromLatest"] is True


async def test_a_version_of_another_run_is_not_promoted() -> None:
    line = await Line().up_to("promote")
    with pytest.raises(StepError, match="NameTaken"):
        await line.run("promote", tags={RUN_TAG: "other/run"})


async def test_promoting_what_is_gone_goes_back_to_publishing() -> None:
    line = await Line().up_to("publish")
    with pytest.raises(StepError) as caught:
        await line.run("promote")
    assert (caught.value.kind, caught.value.stage) == ("redo", "publish_version")


async def test_an_unpromoted_version_of_this_run_is_deleted_even_where_deletion_is_blocked() -> None:
    line = await Line().up_to("publish")
    await line.run("publish", end_of_life="2027-11-23T00:00:00Z", safety={"block_deletion_before_end_of_life": True})
    assert await delete(line) == {"deleted": True}
    assert line.version() is None
    assert await delete(line) == {"deleted": False}


async def test_a_promoted_version_and_one_of_another_run_are_not_deleted() -> None:
    line = await Line().through("promote")
    with pytest.raises(StepError, match="is promoted"):
        await delete(line)
    with pytest.raises(StepError, match="NameTaken"):
        await delete(line, run="other/run")
    assert line.count("DELETE") == 0


async def test_a_version_is_discarded_when_one_of_the_named_tasks_failed_and_only_then() -> None:
    line = await Line().through("publish")
    arguments = {**line.version_arguments(), "run": RUN, "when_failed": ["boot_test.run_script"]}
    with pytest.raises(StepSkipped):
        await image_version.discard(line.azure, **arguments, failed_tasks=["replicate_version"])
    assert line.version() is not None
    assert await image_version.discard(line.azure, **arguments, failed_tasks=["boot_test.run_script"]) == {"deleted": True}
    assert line.version() is None
