"""Machines that exist become images, and images become machines again."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.end_to_end.conftest import Factory

pytestmark = pytest.mark.airflow

HOME = "westeurope"
BACKUP = """\
name: web-nightly
owner: web@example.com
virtual_machine: production/web
schedule: "* * * * *"
gallery: vault
resource_group: rg-vault
keep: 2
"""
VAULT = {"resource_group": "rg-vault", "gallery": "vault"}


def arm(factory: Factory, *path: str, group: str, provider: str = "Microsoft.Compute") -> str:
    subscription = factory.airflow.stack.connection["subscription_id"]
    return "/".join((f"/subscriptions/{subscription}/resourceGroups/{group}", "providers", provider, *path))


def put(factory: Factory, path: str, body: dict[str, Any], version: str = "2024-07-01") -> dict[str, Any]:
    """Make a resource and wait until it is there."""
    client = factory.airflow.sandbox_control
    answer = client.put(path, params={"api-version": version}, json=body)
    assert answer.is_success, answer.text

    def done() -> dict[str, Any] | None:
        found: dict[str, Any] = client.get(path, params={"api-version": version}).json()
        return found if (found.get("properties") or {}).get("provisioningState", "Succeeded") == "Succeeded" else None

    made: dict[str, Any] = factory.until(done, 60, path)
    return made


@pytest.fixture(scope="session")
def web(factory: Factory) -> Factory:
    """Somebody's machine with two data disks: production/web."""
    subscription = factory.airflow.stack.connection["subscription_id"]
    put(factory, f"/subscriptions/{subscription}/resourcegroups/production", {"location": HOME}, "2024-11-01")
    network = arm(factory, "virtualNetworks", "net", group="production", provider="Microsoft.Network")
    subnet = {"name": "default", "properties": {"addressPrefix": "10.0.0.0/24"}}
    put(
        factory,
        network,
        {"location": HOME, "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": [subnet]}},
        "2024-05-01",
    )
    interface = {
        "name": "nic",
        "properties": {
            "primary": True,
            "ipConfigurations": [{"name": "ip", "properties": {"primary": True, "subnet": {"id": f"{network}/subnets/default"}}}],
        },
    }
    image = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"}
    properties = {
        "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
        "storageProfile": {
            "imageReference": image,
            "osDisk": {"createOption": "FromImage", "managedDisk": {"storageAccountType": "Premium_LRS"}},
            "dataDisks": [{"lun": lun, "createOption": "Empty", "diskSizeGB": 32} for lun in (0, 4)],
        },
        "osProfile": {"computerName": "web", "adminUsername": "somebody", "adminPassword": "Not-A-Secret-1234"},
        "networkProfile": {"networkApiVersion": "2022-11-01", "networkInterfaceConfigurations": [interface]},
    }
    put(factory, arm(factory, "virtualMachines", "web", group="production"), {"location": HOME, "properties": properties})
    return factory


def written(factory: Factory, before: dict[str, int]) -> Counter[str]:
    """The writes that the sandbox has answered since, by method and resource type."""
    made = Counter(factory.requests()) - Counter(before)
    return Counter({key.lower(): count for key, count in made.items() if not key.startswith("GET ")})


def writes_by_type(calls: list[str]) -> Counter[str]:
    """Planned calls as the sandbox counts requests: by method and resource type."""
    counted: Counter[str] = Counter()
    for call in calls:
        method, path = call.split(" ")
        parts = path.strip("/").split("/")
        if len(parts) < 6:
            counted[f"{method} microsoft.resources/resourcegroups".lower()] += 1
        else:
            counted[f"{method} {'/'.join((parts[5], *parts[6::2]))}".lower()] += 1
    return counted


def ran(factory: Factory, dag_id: str, conf: dict[str, Any], timeout: float = 300) -> tuple[str, dict[str, str | None]]:
    run_id = factory.airflow.trigger(dag_id, conf)
    state = factory.airflow.wait(dag_id, run_id, timeout)
    states = factory.airflow.task_states(dag_id, run_id)
    assert state == "success", states
    return run_id, states


def power(factory: Factory, name: str = "web", group: str = "production") -> str:
    path = arm(factory, "virtualMachines", name, "instanceView", group=group)
    statuses = factory.airflow.sandbox_control.get(path, params={"api-version": "2024-07-01"}).json()["statuses"]
    return next(str(status["code"]) for status in statuses if status["code"].startswith("PowerState/"))


def test_a_machine_is_captured_as_it_is_and_runs_on(web: Factory) -> None:
    before = web.requests()
    form = {"virtual_machine": "production/web", **VAULT, "definition": "web", "regions": ["northeurope"], "keep": 3}
    run_id, states = ran(web, "capture_vm", form)

    plan = web.airflow.rest.xcom("capture_vm", run_id, "plan")
    assert written(web, before) == writes_by_type(plan["calls"])
    assert states["copy.create_virtual_machine"] == "skipped"
    assert power(web) == "PowerState/running"
    told = web.airflow.rest.xcom("capture_vm", run_id, "report")
    assert told["version"] == {HOME: "Completed", "northeurope": "Completed"}
    assert not web.resources("/image-capture-web-")


def test_a_copy_is_generalized_and_the_machine_is_not_touched(web: Factory) -> None:
    form = {"virtual_machine": "production/web", **VAULT, "definition": "web-base", "state": "Generalized"}
    run_id, states = ran(web, "capture_vm", form)
    assert states["generalize.mark_generalized"] == "success"
    assert power(web) == "PowerState/running"
    assert web.airflow.rest.xcom("capture_vm", run_id, "report")["generalized"] is False
    assert not web.resources("/image-capture-web-")


def test_a_dry_run_of_a_capture_writes_nothing(web: Factory) -> None:
    before = sorted(web.resources())
    run_id, states = ran(web, "capture_vm", {"virtual_machine": "production/web", **VAULT, "definition": "web", "dry_run": True})
    assert set(states.values()) == {"skipped"}
    assert "USD a month" in web.airflow.log("capture_vm", run_id, "plan")
    assert sorted(web.resources()) == before


def test_a_capture_becomes_a_machine_again_elsewhere(web: Factory) -> None:
    before = web.requests()
    form = {"image": "rg-vault/vault/web", "region": "northeurope", "resource_group": "restored", "name": "web-again"}
    run_id, states = ran(web, "restore_vm", form)
    assert states["check"] == "skipped"
    assert written(web, before) == writes_by_type(web.airflow.rest.xcom("restore_vm", run_id, "plan")["calls"])
    assert power(web, "web-again", "restored") == "PowerState/running"


def test_a_game_day_measures_and_leaves_nothing(web: Factory) -> None:
    before = web.requests()
    run_id, _ = ran(web, "game_day", {"image": "rg-vault/vault/web", "objective_minutes": 60})
    assert written(web, before) == writes_by_type(web.airflow.rest.xcom("game_day", run_id, "plan")["calls"])
    told = web.airflow.rest.xcom("game_day", run_id, "report")
    assert told["met"] is True
    assert 0 < told["seconds"] < 3600
    assert "Recovery" in web.airflow.log("game_day", run_id, "report")
    assert not web.resources("/image-game-day-")


def test_a_game_day_without_capacity_fails_and_still_reports_and_cleans_up(web: Factory) -> None:
    rule = {
        "name": "no capacity",
        "match": {"method": "PUT", "type": "Microsoft.Compute/virtualMachines"},
        "effect": {"error": {"status": 409, "code": "SkuNotAvailable", "message": "The requested size is not available."}},
    }
    web.airflow.sandbox_control.post("/_sandbox/faults", json=rule).raise_for_status()
    try:
        run_id = web.airflow.trigger("game_day", {"image": "rg-vault/vault/web"})
        assert web.airflow.wait("game_day", run_id) == "failed"
    finally:
        web.airflow.sandbox_control.delete("/_sandbox/faults", params={"name": "no capacity"})
    states = web.airflow.task_states("game_day", run_id)
    assert (states["create_virtual_machine"], states["report"], states["delete_resource_group"]) == ("failed", "success", "success")
    assert web.airflow.rest.xcom("game_day", run_id, "report")["met"] is False
    assert not web.resources("/image-game-day-")


def test_a_build_is_copied_to_the_second_gallery_and_restored_from_there(factory: Factory) -> None:
    factory.airflow.rest.unpause("keep_second_galleries")
    run_id = factory.build("mirrored")
    assert factory.outcome("mirrored", run_id) == "success"
    version = factory.plan("mirrored", run_id)["version"]

    def copied() -> bool:
        runs = [run for run in factory.airflow.rest.runs("keep_second_galleries") if run["run_type"] == "asset_triggered"]
        return bool(runs) and all(run["state"] == "success" for run in runs)

    factory.until(copied, 180, "the copy that the build's event starts")
    path = arm(factory, "galleries", "second", "images", "mirrored", "versions", version, group="rg-second")
    copy = factory.airflow.sandbox_control.get(path, params={"api-version": "2024-03-03"}).json()
    assert copy["location"] == "westeurope"
    assert not copy["properties"]["publishingProfile"]["excludeFromLatest"]

    form = {"image": "mirrored", "disaster_recovery": True, "resource_group": "restored", "name": "mirrored"}
    restored, _ = ran(factory, "restore_vm", form)
    assert factory.airflow.rest.xcom("restore_vm", restored, "plan")["version_id"].lower() == path.lower()


def test_a_backup_that_is_due_is_captured(web: Factory) -> None:
    """Every minute of the clock, so that the next quarter of an hour starts it; the run is named after backup and time."""
    folder = web.airflow.settings.recipes / "backups"
    folder.mkdir(exist_ok=True)
    (folder / "web-nightly.yaml").write_text(BACKUP)
    web.airflow.trigger("back_up_machines", {})

    def captured() -> list[str]:
        return [run["dag_run_id"] for run in web.airflow.rest.runs("capture_vm") if run["dag_run_id"].startswith("backup__web-nightly__")]

    (run_id, *_) = web.until(captured, 120, "the run of the backup")
    assert web.airflow.wait("capture_vm", run_id) == "success"
    assert web.airflow.rest.xcom("capture_vm", run_id, "report")["captures"]
