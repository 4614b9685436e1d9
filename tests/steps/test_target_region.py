"""The list of a version's regions, which every PUT replaces whole."""

# ruff: noqa: E501  (recorded JSON)
from __future__ import annotations

from include.steps.target_region import normal, present, progress, states, to_arm
from include.steps.version import update

VERSION = {
    "location": "westeurope",
    "tags": {"a": "b"},
    "properties": {
        "publishingProfile": {
            "targetRegions": [
                {"name": "West Europe", "regionalReplicaCount": 3, "storageAccountType": "Premium_LRS", "excludeFromLatest": True},
                {"name": "North Europe", "regionalReplicaCount": 1, "storageAccountType": "Standard_ZRS", "encryption": {"osDiskImage": {"diskEncryptionSetId": "/d"}}},
            ],
            "excludeFromLatest": True,
            "publishedDate": "2026-11-23T08:00:00+00:00",
            "endOfLifeDate": "2027-11-23T08:00:00+00:00",
        },
        "storageProfile": {"source": {"virtualMachineId": "/vm"}},
        "safetyProfile": {"reportedForPolicyViolation": False, "allowDeletionOfReplicatedLocations": False, "blockDeletionBeforeEndOfLife": True},
        "replicationStatus": {"summary": [{"region": "westeurope", "state": "Completed", "progress": 100}]},
    },
}  # fmt: skip


def test_display_names_and_short_names_are_one_region() -> None:
    assert normal("West Europe") == normal("westeurope") == "westeurope"
    assert list(present(VERSION)) == ["westeurope", "northeurope"]


def test_a_region_that_azure_does_not_report_is_unknown_and_not_completed() -> None:
    assert states(VERSION) == {"westeurope": "Completed", "northeurope": "Unknown"}
    assert progress(VERSION) == {"westeurope": 100}


def test_an_update_sends_regions_back_unchanged_and_never_the_source_or_read_only_properties() -> None:
    properties = update(VERSION, excluded=True, tags={})["properties"]
    there = VERSION["properties"]["publishingProfile"]["targetRegions"]  # type: ignore[index]  # of a JSON object
    assert properties["publishingProfile"]["targetRegions"] == [{**region, "excludeFromLatest": True} for region in there]
    assert properties["storageProfile"] == {}
    assert "publishedDate" not in properties["publishingProfile"]
    assert properties["publishingProfile"]["endOfLifeDate"] == "2027-11-23T08:00:00+00:00"
    assert properties["safetyProfile"] == {"allowDeletionOfReplicatedLocations": False, "blockDeletionBeforeEndOfLife": True}


def test_excluding_or_including_sets_the_global_flag_and_every_regional_one() -> None:
    profile = update(VERSION, excluded=False, tags={})["properties"]["publishingProfile"]
    assert profile["excludeFromLatest"] is False
    assert [region["excludeFromLatest"] for region in profile["targetRegions"]] == [False, False]


def test_an_encryption_set_names_the_os_disk_and_every_data_disk() -> None:
    region = {"name": "westeurope", "replica_count": 2, "storage_account_type": "Standard_LRS", "encryption_set": "/des"}
    assert to_arm(region, excluded=True, luns=[0, 3]) == {
        "name": "westeurope",
        "regionalReplicaCount": 2,
        "storageAccountType": "Standard_LRS",
        "excludeFromLatest": True,
        "encryption": {
            "osDiskImage": {"diskEncryptionSetId": "/des"},
            "dataDiskImages": [{"lun": 0, "diskEncryptionSetId": "/des"}, {"lun": 3, "diskEncryptionSetId": "/des"}],
        },
    }
