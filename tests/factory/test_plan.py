from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.factory.digest import digest
from include.factory.names import tag_value
from include.factory.plan import Plan, PlanError, plan, skip_reason
from include.factory.steps import step_names, steps_of
from tests.factory.builds import AT, BASE_ID, SUBSCRIPTION, URN, definition, facts, recipe, run

SPECIALIZED = {"type": "Linux", "state": "Specialized"}
SUBNET = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/v/subnets/s"
DISKS = {"region": "eastus2", "data_disks": [{"lun": 0, "size_gb": 64}, {"lun": 2, "size_gb": 32}]}

DES = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/keys/providers/Microsoft.Compute/diskEncryptionSets/des"


def encrypted(*names: str) -> list[dict[str, str]]:
    return [{"name": name, "encryption_set": f"{DES}-{name}"} for name in names]


# Recipes that differ in every way that changes the list of steps or where their arguments come from.
SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "specialized": {"os": SPECIALIZED},
    "no boot test": {"boot_test": False},
    "existing subnet": {"build": {"region": "eastus2", "subnet": SUBNET}},
    "snapshot": {"capture": "snapshot", "build": DISKS},
    "managed image": {"os": {"type": "Linux", "security_type": "TrustedLaunchSupported"}},
    "no steps": {"steps": [], "checks": []},
    "approval": {"approval": True},
    "encrypted with a second gallery": {
        "replicate": encrypted("eastus2", "westeurope"),
        "disaster_recovery": {
            "gallery": "second",
            "resource_group": "rg-second",
            "location": "northeurope",
            "regions": encrypted("eastus2", "northeurope"),
        },
    },
}
shapes = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.replace(" ", "_"))


@shapes
def test_the_keys_of_the_steps_are_the_tasks_of_the_dag_in_order(shape: str) -> None:
    one = recipe(**SHAPES[shape])

    assert list(plan(one, run(), facts()).steps) == step_names(one)


@shapes
def test_a_plan_is_json_that_reads_back(shape: str) -> None:
    made = plan(recipe(**SHAPES[shape]), run(), facts())

    assert Plan.model_validate_json(made.model_dump_json()) == made
    assert len(made.model_dump_json()) < 20_000


@shapes
def test_the_same_run_always_has_the_same_plan(shape: str) -> None:
    first = plan(recipe(**SHAPES[shape]), run(), facts())
    # The run's own work is there when it is planned again: its version, and the definition.
    again = facts(versions={first.version: first.run}, definition=None)

    assert plan(recipe(**SHAPES[shape]), run(), again) == first


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=250), st.text("ab", min_size=1, max_size=3))
def test_runs_share_no_resource_group_and_every_name_is_within_azures_limits(run_id: str, other: str) -> None:
    one, two = plan(recipe(), run(run_id=run_id), facts()), plan(recipe(), run(run_id=run_id + other), facts())
    groups = {made.steps["delete_build"]["name"] for made in (one, two)}

    assert len(groups) == 2
    assert all(len(group) <= 90 for group in groups)
    for made in (one, two):
        machine = made.steps["build_machine.create_virtual_machine"]
        assert len(machine["computer_name"]) <= 15
        assert not machine["computer_name"].isdigit()
        assert len(machine["name"]) <= 64
        assert all(len(value) <= 256 for value in machine["tags"].values())


def test_the_longest_recipe_name_is_within_azures_limits() -> None:
    made = plan(recipe(name="a" * 50), run(), facts())

    names = {task: arguments["name"] for task, arguments in made.steps.items() if "name" in arguments}
    assert len(names["delete_build"]) <= 90
    assert len(names["boot_test.create_virtual_machine"]) <= 64


def test_the_build_group_and_the_gallery_group_are_never_one() -> None:
    made = plan(recipe(), run(), facts())

    assert made.steps["ensure_destination"]["resource_group"]["name"] == "rg-factory"
    assert made.steps["delete_build"]["name"] != "rg-factory"
    # What outlives the run carries no tag by which a run's clean-up could take it for its own.
    for part in made.steps["ensure_destination"].values():
        assert "image-factory-run" not in part["tags"]


def test_what_is_deleted_is_what_was_made_by_this_run() -> None:
    made = plan(recipe(), run(), facts())
    delete = made.steps["delete_build"]
    group = made.steps["build_machine.create_resource_group"]

    assert (delete["name"], delete["run"]) == (group["name"], group["tags"]["image-factory-run"])
    assert made.steps["discard_version"]["run"] == made.steps["publish_version"]["tags"]["image-factory-run"]


def test_a_failed_machine_is_kept_where_the_run_asks_for_it() -> None:
    assert plan(recipe(), run(), facts()).steps["delete_build"]["keep_failed"] is False
    assert plan(recipe(), run(keep_failed_machine=True), facts()).steps["delete_build"]["keep_failed"] is True


def test_the_version_comes_from_the_run_and_not_from_the_clock() -> None:
    assert plan(recipe(), run(started=AT + timedelta(days=3)), facts()).version == "2026.1123.70000"


def test_what_expires_expires_from_when_the_run_began() -> None:
    late = plan(recipe(), run(started=AT + timedelta(days=30)), facts())

    assert late.steps["build_machine.create_resource_group"]["tags"]["image-factory-expires"] > "2026-12-23"


@pytest.mark.parametrize(
    ("shape", "source"),
    [
        ("plain", {"kind": "virtual_machine", "id": "virtualMachines/ubuntu-base-build"}),
        ("managed image", {"kind": "managed_image", "id": "images/ubuntu-base-image"}),
        ("snapshot", {"kind": "snapshot", "os": "snapshots/ubuntu-base-snapshot-os", "0": "snapshots/ubuntu-base-snapshot-lun0",
                      "2": "snapshots/ubuntu-base-snapshot-lun2"}),
    ],
)  # fmt: skip
def test_the_version_is_published_from_what_the_capture_makes(shape: str, source: dict[str, str]) -> None:
    published = dict(plan(recipe(**SHAPES[shape]), run(), facts()).steps["publish_version"]["source"])
    published |= published.pop("data", {})

    assert {key: value.split("Microsoft.Compute/")[-1] for key, value in published.items()} == source


def test_data_disks_that_come_with_the_base_are_not_made_again() -> None:
    made = plan(recipe(build=DISKS, capture="snapshot"), run(), facts(base_data_luns=[2, 5]))
    disks = {disk["lun"]: disk["from_image"] for disk in made.steps["build_machine.create_virtual_machine"]["data_disks"]}

    assert disks == {0: False, 2: True}
    assert sorted(made.steps["publish_version"]["source"]["data"]) == ["0", "2", "5"]
    assert [disk["lun"] for disk in made.steps["boot_test.create_virtual_machine"]["data_disks"]] == [0, 2, 5]


def test_the_machine_is_made_as_its_base_is_and_tested_as_the_image_is() -> None:
    made = plan(recipe(os=SPECIALIZED), run(), facts())

    assert made.steps["build_machine.create_virtual_machine"]["os_state"] == "Generalized"
    assert made.steps["boot_test.create_virtual_machine"]["os_state"] == "Specialized"
    assert made.steps["boot_test.create_virtual_machine"]["source"] == {"image_reference": {"id": made.version_id}}


def test_a_snapshot_base_is_attached() -> None:
    snapshot = {"os": "/subscriptions/s/snapshots/os", "data": {"0": "/subscriptions/s/snapshots/data"}}
    made = plan(recipe(), run(), facts(base_id="x", base_image_reference=None, base_snapshot=snapshot, base_os_state="Specialized"))

    machine = made.steps["build_machine.create_virtual_machine"]
    assert (machine["source"], machine["os_state"]) == ({"snapshot": snapshot}, "Specialized")


def test_a_supported_image_is_built_plain_and_tested_as_trusted_launch() -> None:
    made = plan(recipe(**SHAPES["managed image"]), run(), facts())

    assert made.steps["build_machine.create_virtual_machine"]["security_type"] == "Standard"
    assert made.steps["boot_test.create_virtual_machine"]["security_type"] == "TrustedLaunch"
    assert made.steps["ensure_destination"]["definition"]["features"]["SecurityType"] == "TrustedLaunchSupported"


def test_the_security_type_of_a_definition_is_never_left_to_azure() -> None:
    made = plan(recipe(os={"type": "Linux"}), run(), facts())

    assert made.steps["ensure_destination"]["definition"]["features"] == {"SecurityType": "Standard"}


def test_a_purchase_plan_of_the_base_goes_with_every_machine() -> None:
    bought = {"name": "n", "product": "p", "publisher": "u"}
    made = plan(recipe(), run(), facts(base_plan=bought))

    assert [arguments["plan"] for arguments in made.steps.values() if "sizes" in arguments] == [bought, bought]
    assert not any("plan" in arguments for arguments in plan(recipe(), run(), facts()).steps.values())
    assert made.steps["ensure_destination"]["definition"]["plan"] == bought


def test_a_definition_without_the_purchase_plan_of_the_base_is_refused() -> None:
    bought = {"name": "basic", "product": "appliance", "publisher": "contoso"}
    assert plan(recipe(), run(), facts(base_plan=bought, definition=definition(plan=bought)))
    with pytest.raises(PlanError, match=r"purchase plan none and the source has contoso:appliance:basic.*Publish to a new definition"):
        plan(recipe(), run(), facts(base_plan=bought, definition=definition()))
    with pytest.raises(PlanError, match="purchase plan contoso:appliance:basic and the source has none"):
        plan(recipe(), run(), facts(definition=definition(plan=bought)))


def test_scripts_go_by_path_and_digest_and_never_by_their_text() -> None:
    steps = plan(recipe(), run(), facts()).steps

    assert steps["prepare.one"]["script"] == {"path": "scripts/one.sh", "sha256": "1" * 64}
    assert steps["prepare.two"]["script"] == {"inline": "echo two"}
    assert (steps["prepare.one"]["reboot_after"], steps["prepare.two"]["timeout"]) == (True, 300)
    assert "check.one" in steps


def test_run_commands_on_a_machine_have_names_of_their_own() -> None:
    steps = plan(recipe(steps=["scripts/one.sh"], checks=["scripts/one.sh"]), run(), facts()).steps
    names = [(arguments["virtual_machine"], arguments["name"]) for arguments in steps.values() if "script" in arguments]

    assert len(names) == len(set(names)) == 3


def test_the_home_region_is_first_and_is_published_alone() -> None:
    steps = plan(recipe(), run(), facts()).steps

    assert [region["name"] for region in steps["publish_version"]["target_regions"]] == ["eastus2"]
    assert [region["name"] for region in steps["replicate_version"]["target_regions"]] == ["eastus2", "westeurope", "japaneast"]


@pytest.mark.parametrize(
    ("asked", "regions"),
    [
        ({"skip_replicate": True}, ["eastus2"]),
        ({"regions": ["Japan East"]}, ["eastus2", "japaneast"]),
        ({"regions": []}, ["eastus2"]),
        ({"regions": ["eastus2", "westeurope", "japaneast"]}, ["eastus2", "westeurope", "japaneast"]),
    ],
)
def test_a_run_may_ask_for_fewer_regions(asked: dict[str, Any], regions: list[str]) -> None:
    made = plan(recipe(), run(**asked), facts())

    assert [region.name for region in made.regions] == regions
    assert [region["name"] for region in made.steps["replicate_version"]["target_regions"]] == regions


def test_regions_take_what_the_recipe_says_for_all_of_them() -> None:
    regions = [{"name": "westeurope", "replica_count": 5}, "japaneast"]
    made = plan(recipe(replicate={"regions": regions, "replica_count": 2, "storage_account_type": "Standard_ZRS"}), run(), facts())

    assert [(region.replica_count, region.storage_account_type) for region in made.regions] == [
        (2, "Standard_ZRS"),
        (5, "Standard_ZRS"),
        (2, "Standard_ZRS"),
    ]


def test_everything_in_the_way_is_said_at_once() -> None:
    with pytest.raises(PlanError) as error:
        plan(
            recipe(publish={"gallery": "factory", "resource_group": "rg", "end_of_life": "1d"}),
            run(version="1.2", regions=["westus"], started=AT + timedelta(days=2)),
            facts(base_generation="V1", definition=definition(os_state="Specialized")),
        )

    assert len(error.value.problems) == 5
    assert all(problem in str(error.value) for problem in error.value.problems)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"os_type": "Windows"}, "OS type Windows (the recipe says Linux)"),
        ({"os_state": "Specialized"}, "OS state Specialized"),
        ({"hyper_v_generation": "V1"}, "generation V1"),
        ({"architecture": "Arm64"}, "architecture Arm64"),
        ({"publisher": "other"}, "publisher other"),
        ({"offer": "other"}, "offer other"),
        ({"sku": "other"}, "SKU other"),
        ({"features": {}}, "security type Standard (the recipe says TrustedLaunch)"),
    ],
)
def test_a_definition_that_differs_where_azure_never_changes_it_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(PlanError) as error:
        plan(recipe(), run(), facts(definition=definition(**change)))

    (problem,) = error.value.problems
    assert says in problem
    assert "publish.definition" in problem


def test_a_definition_that_is_as_the_recipe_says_is_no_problem() -> None:
    assert plan(recipe(), run(), facts(definition=definition(architecture="X64", os_type="linux")))


@pytest.mark.parametrize(("version", "says"), [("1.2", "not a version"), ("1.2.03", "not a version"), ("1.2.2147483648", "int32")])
def test_a_malformed_version_is_refused(version: str, says: str) -> None:
    with pytest.raises(PlanError, match=says):
        plan(recipe(), run(version=version), facts())


@pytest.mark.parametrize("owner", ["build_ubuntu_base/manual__1", None])
def test_a_version_of_someone_else_is_refused_and_ones_own_is_not(owner: str | None) -> None:
    with pytest.raises(PlanError, match="exists already"):
        plan(recipe(), run(version="1.2.3"), facts(versions={"1.2.3": owner}))

    assert plan(recipe(), run(version="1.2.3"), facts(versions={"1.2.3": run().id})).version == "1.2.3"


def test_the_number_of_a_version_that_can_still_be_restored_is_not_used_again() -> None:
    with pytest.raises(PlanError, match="can still be restored: its number is never used again"):
        plan(recipe(), run(version="2026.1101.10000"), facts(deleted=["2026.1101.10000"]))


def test_a_number_up_to_which_versions_were_retired_is_not_used_again_and_a_higher_one_is() -> None:
    retired = facts(retired_up_to="2026.1101.10000")
    with pytest.raises(PlanError, match=r"is not above 2026\.1101\.10000, up to which versions were retired"):
        plan(recipe(), run(version="2026.1101.9999"), retired)
    assert plan(recipe(), run(version="2026.1101.10001"), retired).version == "2026.1101.10001"


def test_a_run_whose_own_version_is_there_still_goes_on_with_it_whatever_was_retired() -> None:
    own = run(version="2026.1101.9999")
    there = facts(retired_up_to="2026.1101.10000", versions={"2026.1101.9999": plan(recipe(), own, facts()).run})
    assert plan(recipe(), own, there).version == "2026.1101.9999"


def test_a_definition_full_of_versions_is_refused_before_anything_is_made() -> None:
    full = {f"1.0.{number}": None for number in range(10_000)}

    with pytest.raises(PlanError, match="10000"):
        plan(recipe(), run(), facts(versions=full))


@pytest.mark.parametrize(
    ("base", "says"),
    [
        ({"base_os_type": "Windows"}, "os.type"),
        ({"base_architecture": "Arm64"}, "os.architecture"),
        ({"base_generation": "V1"}, "os.generation"),
        ({"base_security_type": "Standard", "base_image_reference": {"id": "x"}}, "os.security_type"),
        ({"base_security_type": "ConfidentialVM", "base_image_reference": {"id": "x"}}, "os.security_type"),
        ({"base_image_reference": None}, "another base"),
    ],
)
def test_a_base_that_is_not_what_the_recipe_says_is_refused(base: dict[str, Any], says: str) -> None:
    with pytest.raises(PlanError, match=says):
        plan(recipe(), run(), facts(**base))


@pytest.mark.parametrize("security", [None, "TrustedLaunch", "TrustedLaunchSupported", "TrustedLaunchAndConfidentialVmSupported"])
def test_a_base_that_makes_such_machines_is_taken(security: str | None) -> None:
    assert plan(recipe(), run(), facts(base_security_type=security))
    assert plan(recipe(), run(), facts(base_security_type=security, base_image_reference={"id": "x"}))


def newest(**changes: Any) -> dict[str, Any]:
    made = {"version": "2026.1122.70000", "digest": digest(recipe()), "base": BASE_ID, "run": "build_ubuntu_base/earlier"}
    return {"newest": {**made, **changes}}


def test_nothing_new_is_a_reason_to_skip() -> None:
    reason = skip_reason(recipe(), run(), facts(**newest()), digest(recipe()))

    assert reason is not None
    assert "2026.1122.70000" in reason
    assert "force" in reason


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, {"newest": None}),
        ({"force": True}, newest()),
        ({}, newest(digest="sha256:other")),
        ({}, newest(base=BASE_ID.replace("1180", "1170"))),
        ({}, newest(run=run().id)),
        ({}, {**newest(), "versions": {"2026.1121.70000": run().id}}),
        ({}, newest(digest=None, base=None)),
    ],
    ids=["no version yet", "forced", "another recipe", "another base", "this run's own", "this run's own is older", "not the factory's"],
)
def test_something_new_or_a_run_that_insists_is_built(asked: dict[str, Any], found: dict[str, Any]) -> None:
    assert skip_reason(recipe(), run(**asked), facts(**found), digest(recipe())) is None


def test_what_a_version_is_tagged_with_is_what_the_next_run_compares() -> None:
    long_id = f"/subscriptions/{SUBSCRIPTION}/" + "x" * 300
    found = facts(base_id=long_id, base_image_reference={"id": long_id})
    tags = plan(recipe(), run(), found).steps["publish_version"]["tags"]
    made = {
        "version": "1.0.0",
        "digest": tags["image-factory-digest"],
        "base": tags["image-factory-base"],
        "run": tags["image-factory-run"],
    }
    tomorrow = facts(base_id=long_id, base_image_reference={"id": long_id}, newest=made)

    assert skip_reason(recipe(), run(run_id="tomorrow"), tomorrow, digest(recipe()))
    assert skip_reason(recipe(), run(), tomorrow, digest(recipe())) is None


@given(st.text(min_size=0, max_size=400), st.text(min_size=0, max_size=400))
def test_long_tags_are_cut_and_still_told_apart(one: str, other: str) -> None:
    assert len(tag_value(one)) <= 256
    assert (tag_value(one) == tag_value(other)) == (one == other)


@shapes
def test_the_print_names_version_regions_and_every_call_in_order(shape: str) -> None:
    made = plan(recipe(**SHAPES[shape]), run(), facts())
    text = made.as_text()

    assert made.version_id in text
    assert all(region.name in text for region in made.regions)
    places = [text.index(f" {task} ") for task in made.steps]
    assert places == sorted(places)
    assert BASE_ID in text
    assert json.dumps(URN) not in text


def test_every_step_is_named_by_module_and_function() -> None:
    for shape in SHAPES.values():
        assert all(step.count(".") == 1 for step in steps_of(recipe(**shape)).values())


def test_an_encrypted_image_is_published_to_the_second_gallery_from_the_same_source() -> None:
    made = plan(recipe(**SHAPES["encrypted with a second gallery"]), run(), facts())
    first, second = made.steps["publish_version"], made.steps["second_gallery.publish_version"]
    assert (second["gallery"], second["source"], second["version"]) == ("second", first["source"], first["version"])
    assert [region["name"] for region in second["target_regions"]] == ["eastus2"]
    assert second["target_regions"][0]["encryption_set"] == f"{DES}-eastus2"


def test_an_image_that_is_not_encrypted_is_copied_and_not_published_twice() -> None:
    second = {"gallery": "second", "resource_group": "rg-second", "location": "westeurope"}
    made = plan(recipe(disaster_recovery=second), run(), facts())
    assert not [task for task in made.steps if task.startswith("second_gallery")]
