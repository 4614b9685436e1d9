"""One Linux build, step by step, on a sandbox in this process; and a process that can be killed at any of its calls."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable
from typing import Any

from azure.core.exceptions import ServiceResponseError
from azure.core.rest import HttpRequest

from include.sandbox.clock import Clock
from include.sandbox.sandbox import Sandbox
from include.steps import (
    gallery,
    gallery_image,
    guest,
    image,
    image_version,
    network,
    resource_group,
    run_command,
    snapshot,
    virtual_machine,
)
from include.steps.azure import Azure
from include.steps.look import RUN_TAG
from tests.sandbox_transport import AsyncStaticCredential, SandboxTransport, make_sandbox

Step = Callable[..., Awaitable[Any]]

RUN = "build_ubuntu/scheduled__2026-11-23T02:00:00+00:00"
TAGS = {RUN_TAG: RUN, "image-factory-owner": "platform", "image-factory-expires": "2026-11-25T02:00:00Z"}
GROUP, GALLERIES, GALLERY, DEFINITION, VERSION = "image-build", "galleries", "images", "ubuntu", "2026.1123.20000"
HOME, OTHERS = "westeurope", ("northeurope", "eastus2")
MACHINE = "ubuntu-build"
UBUNTU = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"}
WINDOWS = {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2022-datacenter-g2", "version": "latest"}


class Killed(BaseException):
    """The process died. Nothing in it may catch this, and nothing that it still tries reaches Azure."""


class MortalTransport(SandboxTransport):
    """Dies at the ``at``-th call: ``before`` the server has it, ``after`` it took effect; or (``lost``) only the answer is lost."""

    at = 0
    mode = "before"
    seen = 0
    dead = False

    def arm(self, at: int, mode: str) -> None:
        self.at, self.mode, self.seen, self.dead = at, mode, 0, False

    async def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
        if self.dead:
            raise Killed
        self.seen += 1
        now = self.seen == self.at
        if now and self.mode == "before":
            self.dead = True
            raise Killed
        response = await super().send(request, stream=stream, **options)
        if now and self.mode == "after":
            self.dead = True
            raise Killed
        if now and self.mode == "lost":
            raise ServiceResponseError("the answer is lost")
        return response


class Line:
    """A sandbox, the clients on it, and the steps of one build with their arguments."""

    def __init__(self, sandbox: Sandbox | None = None, **options: Any) -> None:
        self.sandbox = sandbox or make_sandbox(**options)
        self.transport = MortalTransport(self.sandbox)
        self.azure = Azure(AsyncStaticCredential(), self.sandbox.subscription_id, transport=self.transport)

    @property
    def calls(self) -> list[tuple[str, str, int]]:
        return self.transport.calls

    def count(self, method: str, ending: str = "") -> int:
        """Calls of that method whose path ends so."""
        return sum(1 for verb, path, _ in self.calls if verb == method and path.lower().endswith(ending.lower()))

    def resource(self, kind: str, *names: str, group: str = GROUP) -> Any:
        """The sandbox's own resource; None where there is none."""
        segments = [part for pair in zip(kind.split("/"), names, strict=True) for part in pair]
        return self.sandbox.resource(self.azure.id(group, *segments))

    def version(self) -> Any:
        return self.resource("galleries/images/versions", GALLERY, DEFINITION, VERSION, group=GALLERIES)

    def replicas(self) -> dict[str, str]:
        """State by region, as Azure itself knows it."""
        return {name: replica["state"] for name, replica in self.version().private["replicas"].items()}

    def guest(self, name: str = MACHINE) -> Any:
        """What the machine's operating system has been through."""
        disk = self.sandbox.resource(self.resource("virtualMachines", name).private["os_disk"])
        return disk.private["content"]["guest"]

    def copy(self) -> Line:
        """Another world in the same state at the same time, with clients of its own."""
        self.sandbox.advance()
        store, now = copy.deepcopy(self.sandbox.store), self.sandbox.now
        return Line(make_sandbox(Clock(asyncio.get_running_loop().time, start=now), store=store, seed=self.sandbox.seed))

    async def lock(self, group: str, name: str) -> None:
        """Lock a resource group against deletion, as an auditor would."""
        path = f"/subscriptions/{self.azure.subscription_id}/resourceGroups/{group}/providers/Microsoft.Authorization/locks/{name}"
        request = HttpRequest(
            "PUT",
            f"{self.azure.endpoint}{path}",
            params={"api-version": "2020-05-01"},
            json={"properties": {"level": "CanNotDelete"}},
        )
        (await self.azure.resources._client.send_request(request)).raise_for_status()

    async def accept_terms(self, plan: dict[str, str]) -> None:
        """Accept what a purchase plan is sold on, as somebody does once."""
        agreement = f"agreements/{plan['publisher']}/offers/{plan['product']}/plans/{plan['name']}/sign"
        path = f"/subscriptions/{self.azure.subscription_id}/providers/Microsoft.MarketplaceOrdering/{agreement}"
        request = HttpRequest("POST", f"{self.azure.endpoint}{path}", params={"api-version": "2021-01-01"})
        (await self.azure.resources._client.send_request(request)).raise_for_status()

    # the build

    def machine_arguments(self, **changes: Any) -> dict[str, Any]:
        return {
            "resource_group": GROUP,
            "name": MACHINE,
            "location": HOME,
            "sizes": ["Standard_D2s_v5", "Standard_D2as_v5", "Standard_D2s_v4"],
            "source": {"image_reference": UBUNTU},
            "os_type": "Linux",
            "os_state": "Generalized",
            "security_type": "Standard",
            "subnet_id": f"{self.azure.id(GROUP, 'virtualNetworks', 'net', provider='Microsoft.Network')}/subnets/build",
            "os_disk": {"size_gb": None, "storage_account_type": "Premium_LRS"},
            "data_disks": [{"lun": 1, "size_gb": 32, "storage_account_type": "Premium_LRS", "caching": "None", "from_image": False}],
            "identities": [],
            "spot": False,
            "computer_name": "ib-1",
            "tags": TAGS,
            **changes,
        }

    def definition_arguments(self, **changes: Any) -> dict[str, Any]:
        return {
            "resource_group": GALLERIES,
            "gallery": GALLERY,
            "name": DEFINITION,
            "location": HOME,
            "os_type": "Linux",
            "os_state": "Generalized",
            "hyper_v_generation": "V2",
            "architecture": "x64",
            "publisher": "factory",
            "offer": "linux",
            "sku": "ubuntu",
            "features": {"SecurityType": "Standard"},
            **changes,
        }

    def publish_arguments(self, **changes: Any) -> dict[str, Any]:
        return {
            **self.version_arguments(),
            "location": HOME,
            "source": {"kind": "virtual_machine", "id": self.azure.id(GROUP, "virtualMachines", MACHINE)},
            "target_regions": [region(HOME)],
            "tags": {**TAGS, "image-factory-digest": "sha256:1", "image-factory-base": "urn"},
            **changes,
        }

    def version_arguments(self) -> dict[str, Any]:
        return {"resource_group": GALLERIES, "gallery": GALLERY, "definition": DEFINITION, "version": VERSION}

    def script_arguments(self, text: str = "#!/bin/bash\napt-get install -y nginx\n", **changes: Any) -> dict[str, Any]:
        return {
            "resource_group": GROUP,
            "virtual_machine": MACHINE,
            "location": HOME,
            "name": "prepare-install",
            "os_type": "Linux",
            "script": {"inline": text},
            "parameters": {},
            "environment": {},
            "timeout": 900,
            "expected_exit_codes": [0],
            "reboot_after": False,
            **changes,
        }

    def steps(self) -> dict[str, tuple[Step, dict[str, Any]]]:
        """The main road of a build, in order."""
        machine = {"resource_group": GROUP, "name": MACHINE}
        return {
            "create_resource_group": (resource_group.ensure, {"name": GROUP, "location": HOME, "tags": TAGS}),
            "create_network": (
                network.ensure,
                {"resource_group": GROUP, "name": "net", "location": HOME, "address_prefix": "10.250.0.0/24", "tags": TAGS},
            ),
            "create_virtual_machine": (virtual_machine.create, self.machine_arguments()),
            "run_script": (run_command.run, self.script_arguments()),
            "run_script_and_reboot": (run_command.run, self.script_arguments(name="prepare-reboot", reboot_after=True)),
            "deprovision": (
                guest.deprovision,
                {"resource_group": GROUP, "virtual_machine": MACHINE, "location": HOME, "os_type": "Linux", "timeout": 900},
            ),
            "deallocate": (virtual_machine.deallocate, machine),
            "generalize": (virtual_machine.generalize, machine),
            "capture_source": (virtual_machine.capture_source, machine),
            "snapshot": (
                snapshot.capture,
                {"resource_group": GROUP, "name": "snap", "location": HOME, "source_virtual_machine": MACHINE, "tags": TAGS},
            ),
            "image": (
                image.create,
                {
                    "resource_group": GROUP,
                    "name": "image",
                    "location": HOME,
                    "source_virtual_machine": MACHINE,
                    "hyper_v_generation": "V2",
                    "tags": TAGS,
                },
            ),
            "ensure_resource_group": (
                resource_group.ensure,
                {"name": GALLERIES, "location": HOME, "tags": {"image-factory-owner": "platform"}},
            ),
            "ensure_gallery": (
                gallery.ensure,
                {"resource_group": GALLERIES, "name": GALLERY, "location": HOME, "description": "d", "tags": {}},
            ),
            "ensure_definition": (gallery_image.ensure, self.definition_arguments()),
            "publish": (image_version.publish, self.publish_arguments()),
            "replicate": (
                image_version.replicate,
                {**self.version_arguments(), "target_regions": [region(HOME), *(region(name) for name in OTHERS)], "timeout": 6 * 3600},
            ),
            "promote": (image_version.promote, {**self.version_arguments(), "tags": {RUN_TAG: RUN}}),
            "delete_build": (resource_group.delete, {"name": GROUP, "run": RUN}),
        }

    async def run(self, step: str, **changes: Any) -> Any:
        function, arguments = self.steps()[step]
        return await function(self.azure, **{**arguments, **changes})

    async def up_to(self, step: str) -> Line:
        """Run every step before ``step``."""
        for name in self.steps():
            if name == step:
                return self
            await self.run(name)
        raise KeyError(step)

    async def through(self, step: str) -> Line:
        """Run every step up to ``step``, and that too."""
        await self.up_to(step)
        await self.run(step)
        return self

    async def only(self, *steps: str) -> Line:
        for step in steps:
            await self.run(step)
        return self

    def state(self) -> dict[str, Any]:
        """Everything there is, without times and random ids: what two ways to the same end must agree on."""
        self.sandbox.advance()
        return {key: _portrait(resource) for key, resource in sorted(self.sandbox.store.resources.items()) if "/disks/" not in key}


def region(name: str, count: int = 1, sku: str = "Standard_LRS", encryption_set: str | None = None) -> dict[str, Any]:
    return {"name": name, "replica_count": count, "storage_account_type": sku, "encryption_set": encryption_set}


async def let_pass(seconds: float) -> None:
    await asyncio.sleep(seconds)


def _portrait(resource: Any) -> dict[str, Any]:
    tags = {name: value for name, value in (resource.body.get("tags") or {}).items() if name != "image-factory-promoted"}
    shown: dict[str, Any] = {"state": resource.state, "tags": tags}
    properties = resource.properties
    if "hardwareProfile" in properties:
        shown |= {"size": properties["hardwareProfile"]["vmSize"], "power": resource.private.get("power")}
        shown["generalized"] = resource.private.get("generalized", False)
        shown["disks"] = len(properties["storageProfile"]["dataDisks"])
    if "publishingProfile" in properties:
        shown["profile"] = {key: value for key, value in properties["publishingProfile"].items() if key != "publishedDate"}
        shown["replicas"] = {name: replica["state"] for name, replica in resource.private["replicas"].items()}
        shown["promoted"] = "image-factory-promoted" in (resource.body.get("tags") or {})
    if "run" in resource.private:
        shown["execution"] = resource.private["run"]["state"]
    return shown
