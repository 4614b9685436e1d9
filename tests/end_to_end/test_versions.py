"""A month of one image's versions on real Airflow: brought to a new region, promoted, rolled back, retired, restored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.end_to_end.conftest import Factory

pytestmark = pytest.mark.airflow

DAYS = 30
HOME, ADDED = "eastus2", "westeurope"
# API versions.
GALLERIES, DISKS, IMAGES = "2024-03-03", "2024-03-02", "2024-07-01"
VERSIONS = "Microsoft.Compute/galleries/images/versions"
WRITES = {f"{method} {VERSIONS}": f"{method}_version" for method in ("PUT", "PATCH", "DELETE")} | {
    "PATCH Microsoft.Resources/tags": "PATCH_tags"
}


class Life:
    """The definition of the recipe ``dated`` with a version of each of the last thirty days, all promoted, in the home region only."""

    def __init__(self, factory: Factory) -> None:
        self.factory, self.airflow, self.client = factory, factory.airflow, factory.airflow.sandbox_control
        subscription = f"/subscriptions/{factory.airflow.stack.connection['subscription_id']}"
        self.gallery = f"{subscription}/resourceGroups/rg-life/providers/Microsoft.Compute/galleries/life"
        self.definition = f"{self.gallery}/images/dated"
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self.days = [today - timedelta(days=number) for number in range(DAYS, 0, -1)]
        self.names = [f"{day.year}.{day.month * 100 + day.day}.20000" for day in self.days]

    def put(self, id: str, body: dict[str, Any], version: str = GALLERIES) -> None:
        """Put a resource and wait until it is there."""
        answer = self.client.put(id, params={"api-version": version}, json=body)
        assert answer.is_success, answer.text
        self.factory.until(lambda: self.state(id, version) == "Succeeded", id)

    def get(self, id: str, version: str = GALLERIES, **query: str) -> Any:
        answer = self.client.get(id, params={"api-version": version, **query})
        return answer.json() if answer.is_success else None

    def state(self, id: str, version: str = GALLERIES) -> str | None:
        found = self.get(id, version)
        return str(found["properties"]["provisioningState"]) if found else None

    def make(self) -> None:
        """The first version is made from a disk of the marketplace by way of a managed image, the others from the first: no machine is
        needed for any."""
        group, compute = self.gallery.partition("/providers/")[0], self.gallery.partition("/galleries/")[0]
        self.put(group, {"location": HOME}, "2022-09-01")
        disk = f"{compute}/disks/ubuntu"
        publisher = f"/Providers/Microsoft.Compute/Locations/{HOME}/Publishers/Canonical/ArtifactTypes/VMImage"
        platform = f"/Subscriptions/{group.split('/')[2]}{publisher}/Offers/ubuntu-24_04-lts/Skus/server/Versions/24.04.202511110"
        created = {"createOption": "FromImage", "imageReference": {"id": platform}}
        properties = {"osType": "Linux", "hyperVGeneration": "V2", "creationData": created}
        self.put(disk, {"location": HOME, "sku": {"name": "Standard_LRS"}, "properties": properties}, DISKS)
        os_disk = {"osType": "Linux", "osState": "Generalized", "managedDisk": {"id": disk}}
        image = f"{compute}/images/ubuntu"
        self.put(image, {"location": HOME, "properties": {"hyperVGeneration": "V2", "storageProfile": {"osDisk": os_disk}}}, IMAGES)
        self.put(self.gallery, {"location": HOME, "properties": {"softDeletePolicy": {"isSoftDeleteEnabled": True}}})
        described = {
            "osType": "Linux",
            "osState": "Generalized",
            "hyperVGeneration": "V2",
            "features": [{"name": "SecurityType", "value": "TrustedLaunchSupported"}],
            "identifier": {"publisher": "life", "offer": "linux", "sku": "dated"},
        }
        self.put(self.definition, {"location": HOME, "properties": described})
        first, *others = self.names
        self.publish(first, image)
        self.settle([first])
        for name in others:
            self.publish(name, self.first)
        self.settle(others)

    @property
    def first(self) -> str:
        return f"{self.definition}/versions/{self.names[0]}"

    def publish(self, name: str, source: str, *, excluded: bool = False, regions: tuple[str, ...] = (HOME,)) -> None:
        promoted = {} if excluded else {"image-factory-promoted": "2026-01-01T00:00:00+00:00"}
        targets = [{"name": region, "excludeFromLatest": excluded} for region in regions]
        profile = {"targetRegions": targets, "excludeFromLatest": excluded}
        body = {
            "location": HOME,
            "tags": {"image-factory-run": "build_dated/seeded", **promoted},
            "properties": {"publishingProfile": profile, "storageProfile": {"source": {"id": source}}},
        }
        answer = self.client.put(f"{self.definition}/versions/{name}", params={"api-version": GALLERIES}, json=body)
        assert answer.is_success, answer.text

    def settle(self, names: list[str]) -> None:
        paths = [f"{self.definition}/versions/{name}" for name in names]
        self.factory.until(lambda: all(self.state(path) == "Succeeded" for path in paths), "the versions are published")

    def version(self, name: str) -> Any:
        return self.get(f"{self.definition}/versions/{name}", **{"$expand": "ReplicationStatus"})

    def states(self, name: str) -> dict[str, str]:
        summary = self.version(name)["properties"]["replicationStatus"]["summary"]
        return {one["region"].replace(" ", "").lower(): one["state"] for one in summary}

    def latest(self) -> dict[str, str]:
        """What `latest` resolves to by region, worked out from the list."""
        found: dict[str, tuple[int, ...]] = {}
        for one in self.get(f"{self.definition}/versions")["value"]:
            number = tuple(int(part) for part in one["name"].split("."))
            profile = one["properties"]["publishingProfile"]
            for region in profile["targetRegions"]:
                name = region["name"].replace(" ", "").lower()
                if not region.get("excludeFromLatest", profile["excludeFromLatest"]):
                    found[name] = max(number, found.get(name, (0,)))
        return {name: ".".join(map(str, number)) for name, number in found.items()}

    def there(self) -> list[str]:
        return [one["name"] for one in self.get(f"{self.definition}/versions")["value"]]

    def requests(self) -> Counter[str]:
        return Counter(self.factory.requests())

    def run(self, dag: str, outcome: str = "success", refused: int = 0, **conf: Any) -> tuple[str, dict[str, Any]]:
        """Start the DAG on the image, wait for the outcome; the run and its plan. What was written is what the plan said, where the
        run did not fail, and so many updates more that were refused."""
        before = self.requests()
        run = self.airflow.trigger(dag, {"recipe": "dated", **conf})
        self.ends(dag, run, outcome)
        if self.airflow.task_states(dag, run)["plan"] != "success":
            return run, {}
        plan = self.airflow.rest.xcom(dag, run, "plan")
        if outcome == "success":
            self.holds(plan, before, PATCH_version=refused)
        return run, plan

    def cleared(self, dag: str, run: str, task: str) -> None:
        """The failed task is cleared, as the message says; the run must end well."""
        self.airflow.clear(dag, run, task)
        self.ends(dag, run)

    def ends(self, dag: str, run: str, outcome: str = "success") -> None:
        """Wait for the outcome; another one is told with the logs of what failed."""
        ended = self.airflow.wait(dag, run)
        states = self.airflow.task_states(dag, run)
        logs = [self.airflow.log(dag, run, task)[-1500:] for task, state in states.items() if state == "failed"]
        assert ended == outcome, "\n\n".join([str(states), *logs])

    def answer(self, run: str, option: str, reason: str, **pace: float) -> None:
        """What a person answers who is asked for approval."""
        asked = self.airflow.answer("promote_version", run, option, reason, **pace)
        assert asked["assigned_users"] == [{"id": "admin", "name": "admin"}]

    def holds(self, plan: dict[str, Any], before: Counter[str], **more: int) -> None:
        """What was written on versions and their tags since then is what the plan says, and so many more by the method and where."""
        made = Counter({WRITES[what]: count for what, count in (self.requests() - before).items() if what in WRITES})
        planned = Counter(
            f"{call['method']}_{'tags' if '/Microsoft.Resources/tags/' in call['path'] else 'version'}"
            for call in plan["calls"]
            if "/versions/" in call["path"] or "/Microsoft.Resources/tags/" in call["path"]
        )
        assert made == planned + Counter(more)


@pytest.fixture(scope="module")
def life(factory: Factory) -> Iterator[Life]:
    life = Life(factory)
    life.make()
    yield life
    factory.airflow.api.delete("/api/v2/variables/image_factory_retire")


def test_airflows_own_backfill_brings_a_month_of_versions_to_a_region_that_was_added_today(life: Life) -> None:
    recipe = life.factory.folder / "dated.yaml"
    recipe.write_text(recipe.read_text().replace("replicate: [eastus2, westeurope]", "replicate: [eastus2, westeurope, uksouth]"))
    life.airflow.unpause("replicate_dated")
    body = {
        "dag_id": "replicate_dated",
        "from_date": life.days[0].isoformat(),
        "to_date": (life.days[-1] + timedelta(days=1)).isoformat(),
        "max_active_runs": 10,
        "reprocess_behavior": "none",
        "run_backwards": False,
        "dag_run_conf": {},
    }
    life.airflow.api.post("/api/v2/backfills", json=body).raise_for_status()

    def backfilled() -> bool:
        runs = [run for run in life.airflow.rest.runs("replicate_dated") if run["run_type"] == "backfill"]
        return len(runs) == DAYS and all(run["state"] in ("success", "failed") for run in runs)

    life.factory.until(backfilled, "thirty runs")
    runs = life.airflow.rest.runs("replicate_dated")
    assert Counter(run["state"] for run in runs if run["run_type"] == "backfill") == {"success": DAYS}
    with ThreadPoolExecutor(4) as pool:
        states = dict(zip(life.names, pool.map(life.states, life.names), strict=True))
    assert states == {name: {HOME: "Completed", ADDED: "Completed", "uksouth": "Completed"} for name in life.names}
    # The newest is latest there, too; no other one can be.
    assert life.latest() == dict.fromkeys((HOME, ADDED, "uksouth"), life.names[-1])
    assert life.version(life.names[-2])["properties"]["publishingProfile"]["targetRegions"][1]["excludeFromLatest"] is True


@dataclass
class Promotion:
    version: str
    run: str
    before: Counter[str]
    """The requests before it."""


@pytest.fixture(scope="module")
def promotion(life: Life) -> Promotion:
    """Of today's version: first in the home region, then, if a machine of it boots there, in the other two."""
    today = life.days[-1] + timedelta(days=1)
    name = f"{today.year}.{today.month * 100 + today.day}.20000"
    life.publish(name, life.first, excluded=True, regions=(HOME, ADDED, "uksouth"))
    life.settle([name])
    before = life.requests()
    form = {"recipe": "dated", "waves": [HOME], "pause": 0, "boot": True, "channels": ["prod"], "approvers": ["admin"]}
    return Promotion(name, life.airflow.trigger("promote_version", form), before)


def test_a_machine_that_does_not_boot_stops_a_promotion_after_the_wave_that_is_out(life: Life, promotion: Promotion) -> None:
    """Nothing before a named person approved; then the first region only, as the machine of ``latest`` there times out."""
    run, name = promotion.run, promotion.version
    life.airflow.wait_for_task("promote_version", run, "approve", ("awaiting_input",))
    assert life.latest()[HOME] == life.names[-1]
    with life.airflow.faults({"use": "P07", "match": {"group": "image-promotion-*"}, "count": None}):
        life.answer(run, "Approve", "looks good")
        life.ends("promote_version", run, "failed")

    assert life.latest() == {HOME: name, ADDED: life.names[-1], "uksouth": life.names[-1]}
    assert life.airflow.rest.xcom("promote_version", run, "report_promotion")["latest"] == life.latest()
    assert not [tag for tag in life.version(name)["tags"] if "channel" in tag]
    assert not life.factory.resources("/image-promotion-")
    said = f"Version {name} is out in {HOME}, and not in uksouth, westeurope."
    log = life.airflow.log("promote_version", run, "promote_version")
    for words in ("A machine of latest in eastus2 did not do: OS Provisioning", said, "roll it back with roll_back, or clear this task"):
        assert words in log
    life.factory.until(lambda: said in life.factory.told("dated"), "the notice")


def test_a_version_is_promoted_wave_by_wave_with_a_boot_between_the_waves(life: Life, promotion: Promotion) -> None:
    """The machine boots now, and the cleared task goes on with the wave that is next."""
    run, name = promotion.run, promotion.version
    machines = life.requests()["PUT Microsoft.Compute/virtualMachines"]
    life.cleared("promote_version", run, "promote_version")

    # It was not planned anew: what was approved is what is done.
    life.holds(life.airflow.rest.xcom("promote_version", run, "plan"), promotion.before)
    assert life.requests()["PUT Microsoft.Compute/virtualMachines"] == machines + 1
    assert f"A machine of latest in {HOME} was made of version {name}, and is well" in life.airflow.log(
        "promote_version", run, "promote_version", attempt=2
    )
    assert not life.factory.resources("/image-promotion-")
    assert life.latest() == dict.fromkeys((HOME, ADDED, "uksouth"), name)
    tags = life.version(name)["tags"]
    assert tags["image-factory-approved"].endswith("looks good")
    assert "image-factory-channel-prod" in tags
    report = life.airflow.rest.xcom("promote_version", run, "report_promotion")
    assert report["channels"] == {"prod": name}
    assert f"| latest in {HOME}" in report["table"]


def test_a_version_that_is_not_approved_stays_out(life: Life) -> None:
    """An answer in the same breath as the question may be asked for again, and is not lost."""
    run = life.airflow.trigger(
        "promote_version", {"recipe": "dated", "version": life.names[0], "latest": False, "channels": ["test"], "approvers": ["admin"]}
    )
    life.answer(run, "Reject", "no", reads=0)
    life.ends("promote_version", run)
    assert life.airflow.task_states("promote_version", run)["promote_version"] == "skipped"
    assert "image-factory-channel-test" not in life.version(life.names[0])["tags"]


def test_one_click_rolls_back_and_proves_what_people_get(life: Life) -> None:
    bad = life.latest()[HOME]
    dry, _ = life.run("roll_back", dry_run=True)
    assert f"{bad} -> {life.names[-1]}" in life.airflow.log("roll_back", dry, "plan")
    # A build is writing the same version at this moment.
    with life.airflow.faults({"use": "U14", "match": {"name": bad, "method": "PATCH"}}) as fired:
        run, _ = life.run("roll_back", refused=1, reason="it does not boot")
        assert fired() == [1]
    assert life.airflow.rest.xcom("roll_back", run, "report_versions")["latest"] == dict.fromkeys((HOME, ADDED, "uksouth"), life.names[-1])
    assert life.version(bad)["tags"]["image-factory-rolled-back"].endswith("it does not boot")


def test_a_roll_back_that_would_leave_a_region_without_is_refused_and_says_what_to_do(life: Life) -> None:
    """The older versions came to the new regions excluded."""
    run, _ = life.run("roll_back", "failed")
    log = life.airflow.log("roll_back", run, "plan")
    assert "Nothing was changed, as latest would resolve to nothing in uksouth, westeurope" in log
    life.run("roll_back", include_excluded=True)
    assert life.latest() == dict.fromkeys((HOME, ADDED, "uksouth"), life.names[-2])


def test_the_night_is_dry_until_the_variable_says_otherwise(life: Life) -> None:
    rules: dict[str, Any] = {"keep": 3, "older_than": 0, "rollback": 1, "wait": 0}
    before = life.there()
    dry, _ = life.run("retire_versions", **rules)
    assert life.airflow.task_states("retire_versions", dry)["retire_versions"] == "skipped"
    assert "to go out of latest now" in life.airflow.log("retire_versions", dry, "plan")
    assert life.there() == before

    life.airflow.api.post("/api/v2/variables", json={"key": "image_factory_retire", "value": "on"}).raise_for_status()
    _, plan = life.run("retire_versions", **rules)
    assert {call["method"] for call in plan["calls"]} == {"PATCH"}
    assert life.there() == before


def test_what_was_out_long_enough_is_deleted_and_what_azure_holds_is_named(life: Life) -> None:
    rules: dict[str, Any] = {"keep": 3, "older_than": 0, "rollback": 1, "wait": 0, "dry_run": False}
    with life.airflow.faults({"use": "D05", "match": {"type": VERSIONS, "name": life.names[0]}}):
        run, plan = life.run("retire_versions", "failed", **rules)
    log = life.airflow.log("retire_versions", run, "retire_versions")
    assert f"life/dated/{life.names[0]}: The scope" in log
    assert "its owner must remove it" in log
    gone = {call["path"].rsplit("/", 1)[1] for call in plan["calls"] if call["method"] == "DELETE"}
    assert len(gone) > 20
    assert life.names[0] in life.there()
    assert gone & set(life.there()) == {life.names[0]}

    life.cleared("retire_versions", run, "retire_versions")
    assert not gone & set(life.there())
    assert set(life.latest().values()) == {life.names[-2]}


def test_a_deleted_version_comes_back_and_stays_out_of_latest(life: Life) -> None:
    # Its readers do not see it at once.
    with life.airflow.faults({"use": "U05", "match": {"name": life.names[1]}}) as fired:
        run, plan = life.run("restore_version", versions=life.names[1], pin=True, reason="an audit")
        assert fired() == [1]
    assert plan["versions"] == [life.names[1]]
    back = life.version(life.names[1])
    assert back["tags"]["image-factory-pinned"] == "an audit"
    assert set(life.latest().values()) == {life.names[-2]}
    assert life.names[1] in life.airflow.rest.xcom("restore_version", run, "report_versions")["table"]


def fault(name: str, effect: dict[str, Any], **match: str) -> dict[str, Any]:
    return {"name": name, "match": {"type": VERSIONS, **match}, "effect": effect}


def test_a_region_that_fails_in_the_daily_run_is_named_with_its_cure_and_the_cleared_task_finishes(life: Life) -> None:
    recipe = life.factory.folder / "dated.yaml"
    recipe.write_text(recipe.read_text().replace("uksouth]", "uksouth, japaneast]"))
    front = max(life.latest().values())
    with life.airflow.faults({"use": "R01", "match": {"region": "japaneast"}, "count": None}):
        run = life.airflow.trigger("replicate_dated", {})
        life.ends("replicate_dated", run, "failed")
    log = life.airflow.log("replicate_dated", run, "change_regions")
    assert f"{front}: failed in japaneast after it was put again, removed and added again" in log
    assert "What to do: Check quota, encryption set and storage type in the failed regions" in log
    report = life.airflow.rest.xcom("replicate_dated", run, "report_regions")
    assert report["incomplete"][front]["japaneast"] == "Failed"
    life.cleared("replicate_dated", run, "change_regions")
    assert life.states(front)["japaneast"] == "Completed"


def test_a_storm_of_429_fails_no_backfill(life: Life) -> None:
    storm = {**fault("storm", {"throttle": {"retry_after": 20}}, method="PATCH"), "count": 12}
    before = life.requests()
    with life.airflow.faults(storm):
        run = life.airflow.trigger("backfill_regions", {"recipe": "dated", "versions": "last:3", "add": ["koreacentral"], "dry_run": False})
        life.ends("backfill_regions", run)
    plan = life.airflow.rest.xcom("backfill_regions", run, "plan")
    # Those that were refused, and those that were planned.
    assert (life.requests() - before)[f"PATCH {VERSIONS}"] == 12 + len(plan["calls"])
    assert all(life.states(name)["koreacentral"] == "Completed" for name in plan["versions"])


def test_lost_answers_cost_no_version_and_leave_none(life: Life) -> None:
    """Of an exclusion and of a deletion, which both took effect."""
    rules: dict[str, Any] = {"keep": 1, "older_than": 0, "rollback": 0, "wait": 0, "dry_run": False}
    lost = (
        {**fault("lost", {"drop": "after"}, method="PATCH"), "count": 1},
        {**fault("gone", {"drop": "after"}, method="DELETE"), "count": 1},
    )
    kept = set(life.latest().values())
    with life.airflow.faults(*lost):
        runs = []
        for _ in range(2):
            runs.append(life.airflow.trigger("retire_versions", {"recipe": "dated", **rules}))
            life.ends("retire_versions", runs[-1])
    assert kept <= set(life.there())
    due = life.airflow.rest.xcom("retire_versions", runs[-1], "plan")["steps"]["retire_versions"]["definitions"][0]["delete"]
    assert due
    assert not set(due) & set(life.there())
