"""The keyword arguments of every step of a build, as ``include/steps`` takes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from include.factory.facts import Facts
from include.factory.names import Names, tag_value
from include.factory.publish import Recommended, TargetRegion
from include.factory.recipe import Recipe
from include.factory.run import Run
from include.factory.script import DEFAULT_BOOT_TEST, BootTest, Step
from include.factory.tags import build_tags, iso, shared_tags, version_tags

Arguments = dict[str, Any]

# Linux forgets its accounts in seconds; sysprep with pending updates may take most of an hour.
DEPROVISION_TIMEOUT = {"Linux": 900, "Windows": 3600}
# A failure of these leaves a version that nobody should find.
DISCARD_WHEN_FAILED = ("publish_version", "boot_test.create_virtual_machine", "boot_test.run_script")


@dataclass(frozen=True)
class Build:
    """Everything that is fixed about a run, from which each step's arguments follow."""

    recipe: Recipe
    run: Run
    facts: Facts
    names: Names
    version: str
    digest: str
    regions: tuple[TargetRegion, ...]

    def arguments(self) -> dict[str, Arguments]:
        """Task id -> arguments, for every task that the recipe can have."""
        return {
            **self._build_machine(),
            **{f"prepare.{step.name}": self._run_command(step, f"prepare-{step.name}", step.reboot_after) for step in self.recipe.steps},
            **{f"check.{check.name}": self._run_command(check, f"check-{check.name}", check.reboot_after) for check in self.recipe.checks},
            **self._generalize(),
            "capture": self._capture(),
            **self._publish(),
            **self._boot_test(),
            **self._second_gallery(),
            **self._release(),
            "delete_build": {
                "name": self.names.resource_group,
                "run": tag_value(self.run.id),
                "keep_failed": self.run.keep_failed_machine,
            },
        }

    @property
    def _tags(self) -> dict[str, str]:
        return build_tags(self.recipe, self.run, self.facts, self.digest)

    @property
    def _machine(self) -> Arguments:
        return {"resource_group": self.names.resource_group, "name": self.names.machine}

    @property
    def _definition(self) -> Arguments:
        return {"resource_group": self.names.gallery_resource_group, "gallery": self.names.gallery, "definition": self.names.definition}

    @property
    def _machine_id(self) -> str:
        return self.names.build_id("Microsoft.Compute/virtualMachines", self.names.machine)

    @property
    def _purchase(self) -> Arguments:
        return {} if self.facts.base.plan is None else {"plan": self.facts.base.plan}

    @property
    def luns(self) -> tuple[int, ...]:
        """LUNs of the image's data disks: the recipe's, and those that come with the base."""
        return tuple(sorted({disk.lun for disk in self.recipe.build.data_disks} | set(self.facts.base.data_luns)))

    def _build_machine(self) -> dict[str, Arguments]:
        build, names = self.recipe.build, self.names
        base = self.facts.base
        source = {"snapshot": base.snapshot} if base.snapshot is not None else {"image_reference": base.image_reference}
        data_disks = [{**disk.model_dump(), "from_image": disk.lun in base.data_luns} for disk in build.data_disks]
        return {
            "build_machine.create_resource_group": {"name": names.resource_group, "location": build.region, "tags": self._tags},
            "build_machine.create_network": {
                "resource_group": names.resource_group,
                "name": names.network,
                "location": build.region,
                "address_prefix": build.address_prefix,
                "tags": self._tags,
            },
            "build_machine.create_virtual_machine": {
                **self._machine,
                "location": build.region,
                "sizes": list(self.recipe.sizes),
                "source": source,
                "os_type": self.recipe.os.type,
                # The state of what the machine is made from: it decides whether Azure wants an account for it.
                "os_state": base.os_state,
                "security_type": self.recipe.machine_security,
                "subnet_id": names.subnet_id,
                "os_disk": build.os_disk.model_dump(),
                "data_disks": data_disks,
                "identities": list(build.identities),
                "spot": build.spot,
                "computer_name": names.computer,
                "tags": self._tags,
                "zone": build.zone,
                **self._purchase,
            },
        }

    def _run_command(self, script: Step | BootTest, name: str, reboot_after: bool, machine: str | None = None) -> Arguments:
        text = {"inline": script.run or DEFAULT_BOOT_TEST[self.recipe.os.type]}
        if script.script is not None:
            text = {"path": script.script, "sha256": self.recipe.scripts[script.script]}
        return {
            "resource_group": self.names.resource_group,
            "virtual_machine": machine or self.names.machine,
            "location": self.recipe.build.region,
            "name": name,
            "os_type": self.recipe.os.type,
            "script": text,
            "parameters": dict(script.parameters),
            "environment": dict(script.environment),
            "timeout": script.timeout,
            "expected_exit_codes": list(script.expected_exit_codes),
            "reboot_after": reboot_after,
        }

    def _generalize(self) -> dict[str, Arguments]:
        return {
            "generalize.deprovision": {
                "resource_group": self.names.resource_group,
                "virtual_machine": self.names.machine,
                "location": self.recipe.build.region,
                "os_type": self.recipe.os.type,
                "timeout": DEPROVISION_TIMEOUT[self.recipe.os.type],
            },
            "generalize.deallocate": self._machine,
            "generalize.mark_generalized": self._machine,
        }

    def _capture(self) -> Arguments:
        if self.recipe.route == "virtual_machine":
            return {**self._machine, "os_state": self.recipe.os.state}
        capture = {
            "resource_group": self.names.resource_group,
            "name": self.names.image if self.recipe.route == "managed_image" else self.names.snapshot,
            "location": self.recipe.build.region,
            "source_virtual_machine": self._machine_id,
            "tags": self._tags,
        }
        if self.recipe.route == "managed_image":
            capture["hyper_v_generation"] = self.recipe.os.generation
        return capture

    def _source(self) -> Arguments:
        """What the version is made from; its id is known before it exists."""
        if self.recipe.route == "virtual_machine":
            return {"kind": "virtual_machine", "id": self._machine_id}
        if self.recipe.route == "managed_image":
            return {"kind": "managed_image", "id": self.names.build_id("Microsoft.Compute/images", self.names.image)}
        snapshot = self.names.build_id("Microsoft.Compute/snapshots", self.names.snapshot)
        return {"kind": "snapshot", "os": f"{snapshot}-os", "data": {str(lun): f"{snapshot}-lun{lun}" for lun in self.luns}}

    def _publish(self) -> dict[str, Arguments]:
        recipe, publish = self.recipe, self.recipe.publish
        location = publish.location or recipe.build.region
        tags = shared_tags(recipe)
        # How a gallery may be shared is fixed when it is made.
        sharing = {"sharing": recipe.share.profile()} if recipe.share and recipe.share.kind != "Private" else {}
        end_of_life = iso(self.run.at + timedelta(seconds=publish.end_of_life)) if publish.end_of_life else None
        return {
            "ensure_destination": {
                "resource_group": {"name": publish.resource_group, "location": location, "tags": tags},
                "gallery": {
                    "resource_group": publish.resource_group,
                    "name": publish.gallery,
                    "location": location,
                    "description": "Virtual machine images made by the image factory",
                    "tags": tags,
                    **sharing,
                },
                "definition": {
                    "resource_group": publish.resource_group,
                    "gallery": publish.gallery,
                    "name": recipe.definition,
                    "location": location,
                    **described(recipe),
                    "end_of_life": None,
                    "recommended": _recommended(publish.recommended),
                    "tags": tags,
                    **self._purchase,
                },
            },
            "publish_version": {
                **self._definition,
                "version": self.version,
                "location": recipe.build.region,
                "source": self._source(),
                "target_regions": [self.regions[0].model_dump()],
                "replication_mode": "Full",
                "end_of_life": end_of_life,
                "safety": publish.safety.model_dump(),
                "tags": version_tags(recipe, self.run, self.facts, self.digest),
            },
        }

    def _boot_test(self) -> dict[str, Arguments]:
        recipe = self.recipe
        if recipe.boot_test is None:
            return {}
        written = {disk.lun: disk.storage_account_type for disk in recipe.build.data_disks}
        # An image that supports trusted launch is tried as what it promises.
        security = "TrustedLaunch" if recipe.os.security_type == "TrustedLaunchSupported" else recipe.os.security_type
        return {
            "boot_test.create_virtual_machine": {
                "resource_group": self.names.resource_group,
                "name": self.names.test_machine,
                "location": recipe.build.region,
                "sizes": list(recipe.boot_test.sizes or recipe.sizes),
                "source": {"image_reference": {"id": self.names.version_id(self.version)}},
                "os_type": recipe.os.type,
                "os_state": recipe.os.state,
                "security_type": security,
                "subnet_id": self.names.subnet_id,
                "os_disk": {"size_gb": None, "storage_account_type": recipe.build.os_disk.storage_account_type},
                "data_disks": [
                    {
                        "lun": lun,
                        "size_gb": None,
                        "storage_account_type": written.get(lun, "Premium_LRS"),
                        "caching": "None",
                        "from_image": True,
                    }
                    for lun in self.luns
                ],
                "identities": [],
                "spot": False,
                "computer_name": self.names.test_computer,
                "tags": self._tags,
                "zone": None,
                **self._purchase,
            },
            "boot_test.run_script": self._run_command(recipe.boot_test, "boot-test", False, machine=self.names.test_machine),
        }

    def _second_gallery(self) -> dict[str, Arguments]:
        """Azure copies no version that is encrypted with a customer's keys: it is published to the second gallery from the same source."""
        second = self.recipe.disaster_recovery
        if second is None or not self.recipe.encrypted:
            return {}
        published = self._publish()["publish_version"]
        home = next(region for region in second.target_regions if region.name == self.recipe.build.region)
        path = {"resource_group": second.resource_group, "gallery": second.gallery}
        return {
            "second_gallery.ensure_destination": second_destination(self.recipe, self.facts.base.plan),
            "second_gallery.publish_version": {**published, **path, "target_regions": [home.model_dump()]},
        }

    def _release(self) -> dict[str, Arguments]:
        version = {**self._definition, "version": self.version}
        return {
            "replicate_version": {
                **version,
                "target_regions": [region.model_dump() for region in self.regions],
                "timeout": self.recipe.replicate.timeout,
            },
            "promote_version": {**version, "tags": version_tags(self.recipe, self.run, self.facts, self.digest)},
            "discard_version": {**version, "run": tag_value(self.run.id), "when_failed": list(DISCARD_WHEN_FAILED)},
        }


def second_destination(recipe: Recipe, plan: dict[str, str] | None) -> Arguments:
    """Resource group, gallery and definition of a recipe's second gallery, as ``destination.ensure`` takes them.

    :param plan: marketplace purchase plan of the image, or None.
    """
    second = recipe.disaster_recovery
    assert second is not None
    tags = shared_tags(recipe)
    return {
        "resource_group": {"name": second.resource_group, "location": second.location, "tags": tags},
        "gallery": {
            "resource_group": second.resource_group,
            "name": second.gallery,
            "location": second.location,
            "description": "Copies for disaster recovery",
            "tags": tags,
        },
        "definition": {
            "resource_group": second.resource_group,
            "gallery": second.gallery,
            "name": recipe.definition,
            "location": second.location,
            **described(recipe),
            "tags": tags,
            **({"plan": plan} if plan else {}),
        },
    }


def described(recipe: Recipe) -> Arguments:
    """What a definition says of its images, in whichever gallery."""
    publisher, offer, sku = recipe.identifier
    return {
        "os_type": recipe.os.type,
        "os_state": recipe.os.state,
        "hyper_v_generation": recipe.os.generation,
        "architecture": recipe.os.architecture,
        "publisher": publisher,
        "offer": offer,
        "sku": sku,
        # SecurityType is always there: left out, Azure's default for it changes with the API version.
        "features": {"SecurityType": recipe.os.security_type, **recipe.publish.features},
        "description": recipe.description,
    }


def _recommended(recommended: Recommended) -> Arguments:
    """``recommended`` in ARM's form: ``{"vCPUs": {"min", "max"}, "memory": {…}}``, memory in GB."""
    ranges = {"vCPUs": recommended.vcpus, "memory": recommended.memory_gb}
    return {name: bounds.model_dump(exclude_none=True) for name, bounds in ranges.items() if bounds is not None}
