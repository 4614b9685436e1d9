"""Groups, networks, galleries, definitions, images and snapshots: what is there already, and whose it is."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from include.steps import resource_group
from include.steps.errors import StepError
from include.steps.look import RUN_TAG
from tests.steps.build_line import GALLERIES, GROUP, HOME, RUN, TAGS, Line


async def test_a_group_of_another_run_is_neither_used_nor_deleted() -> None:
    line = Line()
    await line.run("create_resource_group", tags={**TAGS, RUN_TAG: "other/run"})
    for step in ("create_resource_group", "delete_build"):
        with pytest.raises(StepError, match="other/run") as caught:
            await line.run(step)
        assert caught.value.code == "NameTaken"
    assert line.count("DELETE") == 0


async def test_a_group_that_nobody_tagged_is_never_deleted_whatever_its_name() -> None:
    line = Line()
    await line.azure.resources.resource_groups.create_or_update(GROUP, {"location": HOME})
    with pytest.raises(StepError, match="not this factory"):
        await line.run("delete_build")
    assert line.count("DELETE") == 0


async def test_a_shared_group_is_taken_as_it_is() -> None:
    line = Line()
    await line.azure.resources.resource_groups.create_or_update(GALLERIES, {"location": "northeurope", "tags": {"cost": "42"}})
    await line.run("ensure_resource_group")
    group = line.sandbox.resource(f"/subscriptions/{line.azure.subscription_id}/resourceGroups/{GALLERIES}")
    assert group is not None
    assert (group.location, group.body["tags"]) == ("northeurope", {"cost": "42"})


async def test_a_group_that_is_going_is_waited_for_and_made_anew() -> None:
    line = await Line().through("create_network")
    deleting = asyncio.create_task(line.run("delete_build"))
    await asyncio.sleep(2)
    await line.run("create_resource_group")
    assert await deleting == {"deleted": True}
    assert line.count("PUT", f"/resourcegroups/{GROUP}") == 2


async def test_a_failed_build_is_kept_when_asked_for_and_says_until_when(caplog: pytest.LogCaptureFixture) -> None:
    line = await Line().through("create_network")
    arguments: dict[str, Any] = {"name": GROUP, "run": RUN, "keep_failed": True}
    assert await resource_group.delete(line.azure, **arguments, failed_tasks=["prepare.install"]) == {"deleted": False}
    assert "prepare.install" in caplog.text
    assert TAGS["image-factory-expires"] in caplog.text
    assert await resource_group.delete(line.azure, **arguments, failed_tasks=[]) == {"deleted": True}
    assert await resource_group.delete(line.azure, **arguments) == {"deleted": False}


async def test_a_network_gives_its_machines_a_way_out() -> None:
    line = await Line().through("create_network")
    result = await line.run("create_network")
    subnet = line.sandbox.resource(result["subnet_id"])
    assert subnet is not None
    assert subnet.properties["defaultOutboundAccess"] is True


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"os_state": "Specialized"}, "OS state Generalized"),
        ({"hyper_v_generation": "V1"}, "generation V2"),
        ({"os_type": "Windows"}, "OS type Linux"),
        ({"architecture": "Arm64"}, "architecture x64"),
        ({"sku": "other"}, "SKU"),
        ({"features": {"SecurityType": "TrustedLaunch"}}, "security type Standard"),
    ],
)
async def test_a_definition_with_other_fixed_properties_is_refused_by_their_names(change: dict[str, Any], named: str) -> None:
    line = await Line().through("ensure_definition")
    before = line.count("PUT")
    with pytest.raises(StepError, match=named) as caught:
        await line.run("ensure_definition", **change)
    assert (caught.value.kind, caught.value.code) == ("permanent", "DefinitionDiffers")
    assert line.count("PUT") == before


async def test_a_definition_that_fits_is_left_as_it_is() -> None:
    line = await Line().through("ensure_definition")
    before = line.count("PUT")
    await line.run(
        "ensure_definition",
        description="another text",
        os_type="linux",
        features={"SecurityType": "Standard", "IsHibernateSupported": "True"},
    )
    assert line.count("PUT") == before


async def test_a_definition_gets_all_that_the_recipe_says() -> None:
    line = await Line().up_to("ensure_definition")
    await line.run(
        "ensure_definition",
        description="Ubuntu",
        end_of_life="2030-01-01T00:00:00Z",
        recommended={"vCPUs": {"min": 2, "max": 8}},
        tags={"a": "b"},
    )
    definition = line.resource("galleries/images", "images", "ubuntu", group=GALLERIES)
    assert definition.properties["recommended"] == {"vCPUs": {"min": 2, "max": 8}}
    assert definition.properties["features"] == [{"name": "SecurityType", "value": "Standard"}]
    assert definition.body["tags"] == {"a": "b"}


@pytest.mark.parametrize("step", ["image", "snapshot"])
async def test_a_capture_of_another_run_is_refused(step: str) -> None:
    line = await Line().up_to(step)
    await line.run(step, tags={**TAGS, RUN_TAG: "other/run"})
    with pytest.raises(StepError, match="NameTaken"):
        await line.run(step)


async def test_snapshots_take_every_disk_by_its_lun() -> None:
    line = await Line().up_to("snapshot")
    source = (await line.run("snapshot"))["source"]
    assert source["os"].endswith("/snapshots/snap-os")
    assert {lun: id.rpartition("/")[2] for lun, id in source["data"].items()} == {"1": "snap-lun1"}


async def test_a_machine_that_is_not_generalized_makes_no_managed_image() -> None:
    line = await Line().through("deallocate")
    with pytest.raises(StepError) as caught:
        await line.run("image")
    assert (caught.value.kind, caught.value.stage) == ("redo", "mark_generalized")


async def test_a_conflict_is_looked_at_again_and_a_group_that_is_not_seen_yet_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    line = await Line().through("create_resource_group")
    kind = "Microsoft.Compute/galleries"
    await line.run("ensure_resource_group")
    for name, status, code in (("a", 409, "Conflict"), ("b", 404, "ResourceGroupNotFound")):
        error = {"status": status, "code": code, "message": "not now"}
        line.sandbox.faults.add(name=name, match={"type": kind, "method": "PUT"}, effect={"error": error}, count=1)
    await line.run("ensure_gallery")
    assert caplog.text.count("Looking again") == 2


async def test_a_conflict_that_does_not_end_is_an_error_in_the_end() -> None:
    line = await Line().through("ensure_resource_group")
    error = {"status": 409, "code": "Conflict", "message": "not now"}
    line.sandbox.faults.add(name="f", match={"type": "Microsoft.Compute/galleries", "method": "PUT"}, effect={"error": error})
    with pytest.raises(StepError) as caught:
        await line.run("ensure_gallery")
    assert (caught.value.kind, caught.value.code) == ("adopt", "Conflict")
    assert line.count("PUT", "/galleries/images") == 6
