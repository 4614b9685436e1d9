"""Machines that exist become images, and images become machines again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from include.demo.published import resource_manager
from tests.end_to_end.catalogue import DIRECTORY, told
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
definition: web
keep: 2
notify:
  - {{events: [failed], notifier: tests.notifier.FileNotifier, arguments: {{path: "{told}"}}}}
"""
# Somebody with whom a gallery was shared by hand.
STRANGER = "22222222-0000-4000-8000-000000000002"
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

    made: dict[str, Any] = factory.until(done, path)
    return made


@pytest.fixture(scope="module")
def web(factory: Factory) -> Factory:
    """Somebody's machine with two data disks, production/web, and the backup that has it for its own."""
    folder = factory.folder / "backups"
    folder.mkdir(exist_ok=True)
    (folder / "web-nightly.yaml").write_text(BACKUP.format(told=told(factory.folder, "web-nightly")))
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


def writes_by_type(calls: list[dict[str, str]]) -> Counter[str]:
    """Planned calls as the sandbox counts requests: by method and resource type."""
    counted: Counter[str] = Counter()
    for call in calls:
        method, (_, provider, below) = call["method"], call["path"].rpartition("/providers/")
        parts = below.split("/") if provider else ["Microsoft.Resources", "resourceGroups"]
        action = f" {parts.pop()}" if method == "POST" else ""
        counted[f"{method} {'/'.join((parts[0], *parts[1::2]))}{action}".lower()] += 1
    return counted


def ran(factory: Factory, dag_id: str, conf: dict[str, Any]) -> tuple[str, dict[str, str | None]]:
    run_id = factory.airflow.trigger(dag_id, conf)
    state = factory.airflow.wait(dag_id, run_id)
    states = factory.airflow.task_states(dag_id, run_id)
    assert state == "success", states
    return run_id, states


def power(factory: Factory, name: str = "web", group: str = "production") -> str:
    path = arm(factory, "virtualMachines", name, "instanceView", group=group)
    statuses = factory.airflow.sandbox_control.get(path, params={"api-version": "2024-07-01"}).json()["statuses"]
    return next(str(status["code"]) for status in statuses if status["code"].startswith("PowerState/"))


@pytest.fixture(scope="module")
def building(factory: Factory) -> Iterator[dict[str, str]]:
    """A build with a second gallery, whose storage fails once, and one that is given to another tenant, side by side; each by its run."""
    sandbox = factory.airflow.stack.connection
    extra = {name: sandbox[key] for name, key in (("authority", "authority"), ("endpoint", "endpoint"), ("ca_file", "ca_file"))}
    partner = {
        "connection_id": "partner",
        "conn_type": "azure_image_factory",
        "login": sandbox["partner_client_id"],
        "password": sandbox["partner_client_secret"],
        "extra": json.dumps(
            {
                **extra,
                "tenantId": sandbox["partner_tenant_id"],
                "subscriptionId": sandbox["partner_subscription_id"],
                "auxiliaryTenantIds": sandbox["tenant_id"],
            }
        ),
    }
    factory.airflow.api.post("/api/v2/connections", json=partner).raise_for_status()
    factory.airflow.unpause("keep_second_galleries")
    with factory.airflow.faults({"use": "U03", "match": {"group": "rg-second"}}) as fired:
        yield {name: factory.build(name) for name in ("mirrored", "partnered")}
        assert fired() == [1]


@pytest.fixture(scope="module")
def denied(building: dict[str, str], web: Factory) -> str:
    """The run of a specialized capture whose snapshots a policy denies, beside the builds."""
    form = {"virtual_machine": "production/web", **VAULT, "definition": "web", "regions": ["northeurope"], "keep": 3}
    with web.airflow.faults({"use": "P09", "match": {"type": "Microsoft.Compute/snapshots", "group": "image-capture-*"}}):
        run_id = web.airflow.trigger("capture_vm", form)
        assert web.airflow.wait("capture_vm", run_id) == "failed"
    return run_id


def test_a_capture_that_a_policy_denies_harms_nothing_and_says_what_to_do(denied: str, web: Factory) -> None:
    (failed,) = [task for task in web.airflow.rest.task_instances("capture_vm", denied) if task["state"] == "failed"]
    assert (failed["task_id"], failed["try_number"]) == ("machine.snapshot_disks", 1)
    cure = "An Azure Policy forbids it: change what is asked for"
    log = web.airflow.log("capture_vm", denied, "machine.snapshot_disks")
    assert "deny-public-ip" in log
    assert cure in log
    web.until(lambda: "failed: web: a run of capture_vm failed" in web.told("web-nightly"), "the notice")
    assert cure in web.told("web-nightly")
    report = web.airflow.rest.xcom("capture_vm", denied, "report")
    assert (report["machine"], report["generalized"], report["leftovers"]) == ("running", False, False)
    assert not web.resources("/image-capture-web-")
    assert not web.resources("/galleries/vault/images/web/versions/")


@pytest.fixture(scope="module")
def published(factory: Factory, building: dict[str, str], denied: str) -> dict[str, str]:
    """The builds, when they have ended; a capture has been denied meanwhile."""
    for name, run_id in building.items():
        assert factory.outcome(name, run_id) == "success"
    return building


@pytest.fixture(scope="module")
def reported(factory: Factory, published: dict[str, str]) -> dict[str, Any]:
    """Three reports: after galleries were shared as their recipes say, not before it was told that the partner may not read yet; that
    of the daily audit; and after what somebody had shared by hand was taken away. The public gallery is there without a build."""
    said = "failed: partnered: a run of keep_second_galleries failed"
    factory.until(lambda: said in factory.told("partnered"), "the notice that the copy to the partner failed")
    assert "on the linked scope(s)" in factory.told("partnered")
    client = factory.airflow.sandbox_control
    group = "rg-public"
    home = f"/subscriptions/{factory.airflow.stack.connection['subscription_id']}/resourceGroups/{group}"
    client.put(home, params={"api-version": "2024-03-01"}, json={"location": "eastus2"}).raise_for_status()
    share = factory.catalogue.recipes["public"].share
    assert share is not None
    put(
        factory,
        arm(factory, "galleries", "public", group=group),
        {"location": "eastus2", "properties": {"sharingProfile": share.profile()}},
        "2024-03-03",
    )
    shared = arm(factory, "galleries", "partnered", "share", group="rg-partnered")
    body = {"operationType": "Add", "groups": [{"type": "Subscriptions", "ids": [STRANGER]}]}
    client.post(shared, params={"api-version": "2024-03-03"}, json=body).raise_for_status()
    reports = {}
    # The answer to a share is lost, and a token expires in the middle of the audit: neither is anybody's business.
    lost = {"use": "P13", "match": {"type": "Microsoft.Compute/galleries", "action": "share"}}
    expired = {"use": "U12", "match": {"type": "Microsoft.Compute/galleries/images/versions"}}
    for name, dag_id, form, faults in (
        ("shared", "share_galleries", {}, [lost]),
        ("audited", "report_images", {"gallery": "partnered"}, [expired]),
        ("revoked", "share_galleries", {"gallery": "partnered", "revoke": True}, []),
    ):
        with factory.airflow.faults(*faults) as fired:
            run_id, _ = ran(factory, dag_id, form)
            assert fired() == [1] * len(faults)
        reports[name] = factory.airflow.rest.xcom(dag_id, run_id, "report")
        assert reports[name]["text"] in factory.airflow.log(dag_id, run_id, "report")
    return reports


def said(image: dict[str, Any]) -> list[dict[str, Any]]:
    """Who may read the image, beside the factory itself, which has its role on the whole subscription."""
    factory, others = ([one for one in image["readings"] if one["factory"] is itself] for itself in (True, False))
    assert [one["by"] for one in factory] == ["role"]
    return others


def test_a_share_that_no_recipe_says_is_named_and_goes_where_that_is_asked(factory: Factory, reported: dict[str, Any]) -> None:
    place = "rg-partnered/partnered/partnered"
    for name in ("shared", "audited"):
        (who,) = reported[name]["undeclared"][place]
        assert STRANGER in who
        assert f"{who}  [NO RECIPE SAYS SO]" in reported[name]["text"]
    factory.until(lambda: "undeclared: partnered: somebody may read it" in factory.told("partnered"), "the notice")
    assert STRANGER in factory.told("partnered")

    assert place not in reported["revoked"]["undeclared"]
    gallery = arm(factory, "galleries", "partnered", group="rg-partnered")
    read = factory.airflow.sandbox_control.get(gallery, params={"api-version": "2024-03-03", "$expand": "SharingProfile/Groups"})
    assert DIRECTORY.partner_subscription_id in read.text
    assert STRANGER not in read.text


def test_a_build_is_copied_to_the_second_gallery_restored_from_there_and_shared(
    factory: Factory, published: dict[str, str], reported: dict[str, Any]
) -> None:
    version = factory.plan("mirrored", published["mirrored"])["version"]
    path = arm(factory, "galleries", "second", "images", "mirrored", "versions", version, group="rg-second")

    def copy() -> Any:
        answer = factory.airflow.sandbox_control.get(path, params={"api-version": "2024-03-03"})
        return answer.json() if answer.is_success and not answer.json()["properties"]["publishingProfile"]["excludeFromLatest"] else None

    copied = factory.until(copy, "the copy that the build's event starts")
    assert copied["location"] == "westeurope"

    form = {"image": "mirrored", "disaster_recovery": True, "resource_group": "restored", "name": "mirrored"}
    full = {"use": "P03", "match": {"group": "restored"}}
    with factory.airflow.faults(full):
        restore = factory.airflow.trigger("restore_vm", form)
        assert factory.airflow.wait("restore_vm", restore) == "success"
    (image,) = [one for one in reported["shared"]["images"] if one["place"] == "rg-end-to-end/endtoend/mirrored"]
    (reading,) = said(image)
    assert "11111111-0000-4000-8000-000000000001" in reading["who"]
    assert reading["said_by"] == "mirrored"
    assert [one["gets"] for one in image["versions"] if one["version"] == version] == [["latest"]]
    plan = factory.airflow.rest.xcom("restore_vm", restore, "plan")
    assert plan["version_id"].lower() == path.lower()
    machine = factory.airflow.sandbox_control.get(
        arm(factory, "virtualMachines", "mirrored", group="restored"), params={"api-version": "2024-07-01"}
    ).json()
    # The region had no capacity for the first.
    assert machine["properties"]["hardwareProfile"]["vmSize"] == plan["steps"]["create_virtual_machine"]["sizes"][1]


def partners_view(factory: Factory, path: str) -> Any:
    """What the partner's application sees, signed in to its own tenant."""
    ours = factory.airflow.stack.connection
    theirs = {name: ours[f"partner_{name}"] for name in ("tenant_id", "subscription_id", "client_id", "client_secret")}
    with resource_manager({**ours, **theirs}) as client:
        return client.get(f"/subscriptions/{theirs['subscription_id']}/{path}", params={"api-version": "2024-03-03"})


def test_an_image_is_given_to_another_tenant_directly_and_by_the_community(
    factory: Factory, published: dict[str, str], reported: dict[str, Any]
) -> None:
    assert not [place for place in reported["shared"]["undeclared"] if "public" in place]
    (image,) = [one for one in reported["revoked"]["images"] if one["place"] == "rg-partnered/partnered/partnered"]
    assert [(one["by"], one["said_by"]) for one in said(image)] == [
        ("role", "partnered"),
        ("direct", "partnered"),
        ("direct", "partnered"),
    ]
    places = "providers/Microsoft.Compute/locations/eastus2"
    (name,) = [one["name"] for one in partners_view(factory, f"{places}/sharedGalleries").json()["value"]]
    versions = partners_view(factory, f"{places}/sharedGalleries/{name}/images/partnered/versions").json()["value"]
    assert [one["name"] for one in versions] == [factory.plan("partnered", published["partnered"])["version"]]
    gallery = factory.airflow.sandbox_control.get(
        arm(factory, "galleries", "public", group="rg-public"), params={"api-version": "2024-03-03"}
    )
    community = gallery.json()["properties"]["sharingProfile"]["communityGalleryInfo"]
    assert community["communityGalleryEnabled"]
    assert partners_view(factory, f"{places}/communityGalleries/{community['publicNames'][0]}").is_success


def test_an_image_is_published_to_another_tenant_once_that_may_read_it(
    factory: Factory, published: dict[str, str], reported: dict[str, Any]
) -> None:
    version = factory.plan("partnered", published["partnered"])["version"]
    run_id, _ = ran(factory, "keep_second_galleries", {"recipe": "partnered"})
    assert version in factory.airflow.rest.xcom("keep_second_galleries", run_id, "report")["table"]
    copy = partners_view(
        factory, f"resourceGroups/rg-partners/providers/Microsoft.Compute/galleries/partners/images/partnered/versions/{version}"
    )
    assert copy.json()["tags"]["image-factory-copied-from"].endswith(f"/galleries/partnered/images/partnered/versions/{version}")


@pytest.fixture(scope="module")
def captured(web: Factory, denied: str, published: dict[str, str]) -> dict[str, str]:
    """The specialized capture, cleared when the policy was gone, and a generalized one, side by side; no build runs any more."""
    before = web.requests()
    web.airflow.clear("capture_vm", denied)
    form = {"virtual_machine": "production/web", **VAULT, "definition": "web-base", "state": "Generalized"}
    runs = {"web": denied, "web-base": web.airflow.trigger("capture_vm", form)}
    for run_id in runs.values():
        assert web.airflow.wait("capture_vm", run_id) == "success", web.airflow.task_states("capture_vm", run_id)
    plans = [web.airflow.rest.xcom("capture_vm", run_id, "plan") for run_id in runs.values()]
    planned = sum((writes_by_type(plan["calls"]) for plan in plans), Counter())
    made = written(web, before)
    assert made == planned
    return runs


def test_a_machine_is_captured_as_it_is_and_runs_on(web: Factory, captured: dict[str, str]) -> None:
    states = web.airflow.task_states("capture_vm", captured["web"])
    assert states["copy.create_virtual_machine"] == "skipped"
    assert power(web) == "PowerState/running"
    told = web.airflow.rest.xcom("capture_vm", captured["web"], "report")
    assert told["version"] == {HOME: "Completed", "northeurope": "Completed"}
    assert not web.resources("/image-capture-web-")


def test_a_copy_is_generalized_and_the_machine_is_not_touched(web: Factory, captured: dict[str, str]) -> None:
    assert web.airflow.task_states("capture_vm", captured["web-base"])["generalize.mark_generalized"] == "success"
    assert web.airflow.rest.xcom("capture_vm", captured["web-base"], "report")["generalized"] is False


def test_a_dry_run_of_a_capture_writes_nothing(web: Factory) -> None:
    before = sorted(web.resources())
    run_id, states = ran(web, "capture_vm", {"virtual_machine": "production/web", **VAULT, "definition": "web", "dry_run": True})
    assert set(states.values()) == {"skipped"}
    assert "USD a month" in web.airflow.log("capture_vm", run_id, "plan")
    assert sorted(web.resources()) == before


@pytest.fixture(scope="module")
def restored(web: Factory, captured: dict[str, str]) -> dict[str, str]:
    """A machine of the capture, and a game day of it, side by side."""
    before = web.requests()
    image = {"image": "rg-vault/vault/web"}
    form = {**image, "region": "northeurope", "resource_group": "restored", "name": "web-again"}
    runs = {
        "restore_vm": web.airflow.trigger("restore_vm", form),
        "game_day": web.airflow.trigger("game_day", {**image, "objective_minutes": 60}),
    }
    for dag_id, run_id in runs.items():
        assert web.airflow.wait(dag_id, run_id) == "success", web.airflow.task_states(dag_id, run_id)
    plans = [web.airflow.rest.xcom(dag_id, run_id, "plan") for dag_id, run_id in runs.items()]
    assert written(web, before) == sum((writes_by_type(plan["calls"]) for plan in plans), Counter())
    return runs


def test_a_capture_becomes_a_machine_again_elsewhere(web: Factory, restored: dict[str, str]) -> None:
    assert web.airflow.task_states("restore_vm", restored["restore_vm"])["check"] == "skipped"
    assert power(web, "web-again", "restored") == "PowerState/running"


def test_a_game_day_measures_and_leaves_nothing(web: Factory, restored: dict[str, str]) -> None:
    told = web.airflow.rest.xcom("game_day", restored["game_day"], "report")
    assert told["met"] is True
    assert 0 < told["seconds"] < 3600
    assert "Recovery" in web.airflow.log("game_day", restored["game_day"], "report")
    assert not web.resources("/image-game-day-")


def captures_of_the_backup(web: Factory) -> list[str]:
    """Their runs: named after backup and time."""
    return [run["dag_run_id"] for run in web.airflow.rest.runs("capture_vm") if run["dag_run_id"].startswith("backup__web-nightly__")]


@pytest.fixture(scope="module")
def refused(web: Factory, captured: dict[str, str]) -> dict[str, str]:
    """A game day without quota, and a capture of the backup, which is due each minute, when Azure takes no more versions; side by side."""
    with web.airflow.faults("P06", {"use": "U10", "match": {"group": "rg-vault"}}):
        web.airflow.trigger("back_up_machines", {})
        runs = {"game_day": web.airflow.trigger("game_day", {"image": "rg-vault/vault/web"})}
        (runs["capture_vm"], *_) = web.until(lambda: captures_of_the_backup(web), "the run of the backup")
        web.airflow.api.patch("/api/v2/dags/back_up_machines", json={"is_paused": True}).raise_for_status()
        for dag_id, run_id in runs.items():
            assert web.airflow.wait(dag_id, run_id) == "failed"
    return runs


def test_a_game_day_without_quota_fails_and_still_reports_and_cleans_up(web: Factory, refused: dict[str, str]) -> None:
    run_id = refused["game_day"]
    states = web.airflow.task_states("game_day", run_id)
    assert (states["create_virtual_machine"], states["report"], states["delete_resource_group"]) == ("failed", "success", "success")
    assert web.airflow.rest.xcom("game_day", run_id, "report")["met"] is False
    assert not web.resources("/image-game-day-")


def test_the_owner_of_a_backup_that_could_not_be_made_is_told_what_to_do(web: Factory, refused: dict[str, str]) -> None:
    cure = "What to do: Tidy up, or publish elsewhere: a region holds 1,000 definitions and 10,000 versions"
    web.until(lambda: cure in web.told("web-nightly"), "the notice")
    assert power(web) == "PowerState/running"
    assert not web.resources("/image-capture-web-")


def test_a_backup_is_made_when_its_failed_run_is_cleared(web: Factory, refused: dict[str, str]) -> None:
    run_id = refused["capture_vm"]
    web.airflow.clear("capture_vm", run_id)
    assert web.airflow.wait("capture_vm", run_id) == "success"
    assert web.airflow.rest.xcom("capture_vm", run_id, "report")["captures"]
