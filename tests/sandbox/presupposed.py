"""The world that a request presupposes: the group, the parents and every resource that it names, made through the sandbox's own front door.

What is not said is inferred from the request: an image that a machine with an `osProfile` is made from is generalized, one that a Windows
machine is made from holds Windows, a disk is where the request's resource is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlencode

from include.sandbox.blobs import ACCOUNT
from include.sandbox.resources.catalogue import find, publish, skus
from include.sandbox.sandbox import Sandbox
from include.sandbox.wire import Request, Response

from .bodies import KEY, newest, put_package
from .vaults import KEY_BODY, grant, vault_body

WINDOWS = {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2022-datacenter", "version": "latest"}
LINUX = {"publisher": "Canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-lts", "version": "latest"}
HOST = "https://management.azure.com"
_ID = re.compile(r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/[^/]+(/[^/]+/[^/]+)+/?", re.IGNORECASE)
_SHARED = re.compile(r"/(communityGalleries|sharedGalleries)/([^/]+)(?:/images/([^/]+)(?:/versions/([^/]+))?)?", re.IGNORECASE)
_PLATFORM = re.compile(r"/publishers/([^/]+)/artifacttypes/vmimage/offers/([^/]+)/skus/([^/]+)(?:/versions(?:/([^/]+))?)?", re.IGNORECASE)
_KEY = re.compile(r"https://([^.]+)\.[^/]*vault[^/]*/keys/(.+)")
_VHD = re.compile(r"https?://[^/]+\.blob\.core\.windows\.net/.+\.vhd")


class Presupposed:
    """Makes what a request presupposes, on one sandbox."""

    def __init__(self, sandbox: Sandbox, method: str, path: str, body: Any, query: dict[str, str] | None = None) -> None:
        self.sandbox = sandbox
        self.root = f"/subscriptions/{sandbox.subscription_id}"
        self.query = query or {}
        self.method, self.path, self.body = method, unquote(path), body if isinstance(body, dict) else {}
        self.properties: Any = self.body.get("properties") or {}
        self.location = re.sub(r"\s", "", str(self.body.get("location") or "westus")).lower()
        self.made = 0
        self.named = sorted(set(_texts(self.body)))
        self.own = ""  # the resource that the request itself is about, where it has to be there
        self.renamed: dict[str, str] = {}  # names that Azure chooses: the example's, and the sandbox's

    # what is sent

    def send(self, method: str, path: str, body: Any = None, **query: str) -> Response:
        """Send a request and let what it began end."""
        asked = urlencode({"api-version": newest(path), **query})
        content = b"" if body is None else json.dumps(body).encode()
        answer = self.sandbox.handle(Request(method, f"{HOST}{path.replace(' ', '%20')}?{asked}", {}, content))
        assert answer.status < 400, f"{method} {path}: {answer.status} {answer.body.decode()} for {json.dumps(body)}"
        self.sandbox.clock.advance(4000)
        self.sandbox.advance()
        if (url := answer.headers.get("azure-asyncoperation")) is not None:
            ended = self.sandbox.handle(Request("GET", url)).json()
            assert ended["status"] == "Succeeded", f"{method} {path}: {ended}"
        return answer

    # what there must be

    def build(self) -> None:
        """All of it, before the request is sent."""
        if (group := re.match(r"/subscriptions/[^/]+/resourceGroups/[^/]+", self.path, re.IGNORECASE)) is not None:
            self.group(group[0])
        self.images()
        for vhd in (text for text in self.named if _VHD.fullmatch(text) and self.reads(text)):
            self.vhd(vhd)
        if isinstance(link := _first(self.body, "mediaLink"), str):
            self.package(link)
        ids = list(_chain(self.path))
        self.own = ids[-1] if ids and self.method != "PUT" else ""
        for found in filter(None, map(_KEY.fullmatch, self.named)):
            self.named_key(found[1], found[2])
        for text in self.named:
            if _ID.fullmatch(text):
                self.ensure(text.rstrip("/"))
        for text in (*self.named, self.path):
            if (shared := _SHARED.search(text)) is not None:
                self.share(shared)
        for id in ids[:-1]:
            self.ensure(id)
        if self.own:
            self.ensure(self.own)
            self.prepare(self.own)

    def as_named(self, text: str) -> str:
        """A URL or a body with the names that Azure chose, and with an end of life that is still to come, as it was when it was written."""
        text = re.sub(r'("endOfLifeDate": ?")\d{4}', r"\g<1>2099", text)
        for given, chosen in self.renamed.items():
            text = text.replace(f"/{given}", f"/{chosen}")
        return text

    def prepare(self, id: str) -> None:
        """Bring the resource into the state in which the action makes sense."""
        if self.sandbox.store.get(id) is None:  # what cannot be there needs no state
            return
        action = self.path[len(id) :].strip("/").lower()
        before = {
            "start": ["deallocate"],
            "generalize": ["powerOff"],
            "capture": ["deallocate", "generalize"],
            "converttomanageddisks": ["deallocate"],
        }.get(action, [])
        for step in before:
            self.send("POST", f"{id}/{step}")
        if action == "endgetaccess":
            self.send("POST", f"{self.as_named(id)}/beginGetAccess", {"access": "Read", "durationInSeconds": 300})

    def reads(self, url: str) -> bool:
        """Whether the request reads a blob, rather than makes it."""
        new = [one for one in _dicts(self.body) if one.get("createOption") in ("FromImage", "Empty")]
        return not any((disk.get("vhd") or {}).get("uri") == url for disk in new)

    def ensure(self, id: str) -> None:
        """A resource of that id, and whatever it needs itself."""
        if self.sandbox.store.get(id) is not None:
            return
        self.group("/".join(id.split("/")[:5]))
        for one in _chain(id):
            kind = "/".join([one.split("/")[6], *one.split("/")[7::2]]).lower()
            make = getattr(self, "_" + kind.partition("/")[2].replace("/", "_"), None)
            if self.sandbox.store.get(one) is None and make is not None:
                make(one)

    def group(self, id: str) -> None:
        if self.sandbox.store.get(id) is None:
            self.send("PUT", id, {"location": self.location})

    # what the request says of the things it names

    @property
    def os(self) -> str:
        told = _first(self.body, "osType")
        if told in ("Linux", "Windows"):
            return str(told)
        return "Linux" if _first(self.body, "linuxConfiguration") else "Windows"

    @property
    def security(self) -> str:
        return str(_first(self.body, "securityType") or "Standard")

    @property
    def generation(self) -> str:
        told = _first(self.body, "hyperVGeneration")
        return str(told) if told in ("V1", "V2") else "V2" if self.security != "Standard" else "V1"

    @property
    def state(self) -> str:
        if self.path.lower().find("/virtualmachines/") > 0 or "virtualmachinescalesets" in self.path.lower():
            return "Generalized" if _first(self.body, "osProfile") else "Specialized"
        return "Generalized"

    @property
    def size(self) -> int:
        told = _first(self.body, "diskSizeGB") if self.method == "PUT" else None  # an update grows a disk
        return int(told) if isinstance(told, int) else 127 if self.os == "Windows" else 30

    # the makers, by type

    def name(self, what: str) -> str:
        self.made += 1
        return f"{what}{self.made}"

    def at(self, id: str, kind: str) -> str:
        """The id of something beside `id`."""
        return f"{'/'.join(id.split('/')[:5])}/providers/{kind}/{self.name('presupposed')}"

    def put(self, id: str, properties: Any, *fixed: str, **envelope: Any) -> None:
        """`fixed`: properties that cannot change, so that an update's own resource has them as the update says."""
        for path in fixed if id.lower() == self.own.lower() else ():
            *outer, name = path.split(".")
            given, made = self.properties, properties
            for part in outer:
                given, made = given.get(part) or {}, made.setdefault(part, {})
            if given.get(name) is not None:
                made[name] = given[name]
        self.send("PUT", id, {"location": self.location, "properties": properties, **envelope})

    def subnet(self, id: str) -> str:
        """A subnet beside `id`."""
        subnet = f"{'/'.join(id.split('/')[:5])}/providers/Microsoft.Network/virtualNetworks/presupposed/subnets/default"
        self.ensure(subnet)
        return subnet

    def _virtualnetworks(self, id: str) -> None:
        self.put(id, {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}})

    def _virtualnetworks_subnets(self, id: str) -> None:
        self.made += 1
        self.put(id, {"addressPrefix": f"10.0.{self.made}.0/24"})

    def _loadbalancers(self, id: str) -> None:
        """With the parts that the request names."""
        address = self.at(id, "Microsoft.Network/publicIPAddresses")
        self.put(address, {"publicIPAllocationMethod": "Static"}, sku={"name": "Standard"})
        frontend = {"id": f"{id}/frontendIPConfigurations/front"}
        parts: dict[str, Any] = {"frontendIPConfigurations": [{"name": "front", "properties": {"publicIPAddress": {"id": address}}}]}
        ports = {"protocol": "Tcp", "frontendPortRangeStart": 50000, "frontendPortRangeEnd": 50099, "backendPort": 22}
        for text in self.named:
            if text.lower().startswith(f"{id.lower()}/"):
                kind, name = text.split("/")[-2:]
                own = {"properties": {**ports, "frontendIPConfiguration": frontend}} if kind == "inboundNatPools" else {}
                parts.setdefault(kind, []).append({"name": name, **own})
        self.put(id, parts, sku={"name": "Standard"})

    def _networkinterfaces(self, id: str) -> None:
        self.put(id, {"ipConfigurations": [{"name": "ip", "properties": {"subnet": {"id": self.subnet(id)}}}]})

    def _availabilitysets(self, id: str) -> None:
        managed = not _first(self.body, "vhd")
        self.put(id, {"platformFaultDomainCount": 2}, sku={"name": "Aligned" if managed else "Classic"})

    def _proximityplacementgroups(self, id: str) -> None:
        self.put(id, {})

    def _sshpublickeys(self, id: str) -> None:
        self.put(id, {} if self.path.lower().endswith("/generatekeypair") else {"publicKey": KEY})

    def _userassignedidentities(self, id: str) -> None:
        self.send("PUT", id, {"location": self.location})

    def _diskencryptionsets(self, id: str) -> None:
        kind = "ConfidentialVmEncryptedWithCustomerKey" if "Confidential" in json.dumps(self.body) else "EncryptionAtRestWithCustomerKey"
        key = self.key(self.at(id, "Microsoft.KeyVault/vaults"))
        self.put(id, {"activeKey": key, "encryptionType": kind}, identity={"type": "SystemAssigned"})
        grant(self.sandbox, key["sourceVault"]["id"], self.sandbox.store.resources[id.lower()].body["identity"]["principalId"])

    def key(self, vault: str) -> dict[str, Any]:
        """The activeKey of a key of that vault."""
        if self.sandbox.store.get(vault) is None:
            self.send("PUT", vault, vault_body(self.sandbox, self.location))
        key = self.send("PUT", f"{vault}/keys/key", KEY_BODY).json()["properties"]
        return {"sourceVault": {"id": vault}, "keyUrl": key["keyUriWithVersion"]}

    def named_key(self, vault: str, key: str) -> None:
        """A key that a URL names, in a vault that an id names or that is somewhere else."""
        ids = [text for text in self.named if text.lower().endswith(f"/vaults/{vault}".lower())]
        id = ids[0] if ids else f"{self.root}/resourceGroups/presupposed/providers/Microsoft.KeyVault/vaults/{vault}"
        self.group("/".join(id.split("/")[:5]))
        self.renamed[f"keys/{key}"] = "keys/" + self.key(id)["keyUrl"].split("/keys/")[1]

    def _diskaccesses(self, id: str) -> None:
        self.send("PUT", id, {"location": self.location})

    def _restorepointcollections(self, id: str) -> None:
        """Of the machine that the request says, or of the collection that it copies from."""
        named = ["/".join(text.split("/")[:9]) for text in self.named if "/restorepointcollections/" in text.lower()]
        copied = [one for one in named if one.lower() != id.lower()] if self.path.lower().startswith(f"{id.lower()}/") else []
        source = copied[0] if copied else self.at(id, "Microsoft.Compute/virtualMachines")
        self.ensure(source)
        self.put(id, {"source": {"id": source}}, "source")

    def _restorepointcollections_restorepoints(self, id: str) -> None:
        self.send("PUT", id, {})

    def _restorepointcollections_restorepoints_diskrestorepoints(self, id: str) -> None:
        """Azure names it."""
        point = self.sandbox.store.collection(f"{id.rsplit('/', 1)[0].lower()}")
        self.renamed[id.rsplit("/", 1)[1]] = next(iter(point.values())).name

    def _storageaccounts(self, id: str) -> None:
        lower = f"{id.rpartition('/')[0]}/{id.rpartition('/')[2].lower()}"
        self.send("PUT", lower, {"location": self.location, "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"})

    def _disks(self, id: str) -> None:
        role = next((path for path, text in _walk(self.body) if str(text).lower() == id.lower()), "")
        data = "dataDisk" in role or "excludeDisks" in role
        if data or id.lower() == self.own.lower():
            self.put(id, {"creationData": {"createOption": "Empty"}, "diskSizeGB": self.size}, sku={"name": "Premium_LRS"})
        else:
            self.os_disk(id)

    def os_disk(self, id: str) -> None:
        """A managed disk with an operating system, of a platform image."""
        skus = {
            ("Windows", "V1"): ("MicrosoftWindowsServer", "WindowsServer", "2022-datacenter"),
            ("Windows", "V2"): ("MicrosoftWindowsServer", "WindowsServer", "2022-datacenter-g2"),
            ("Linux", "V1"): ("Canonical", "0001-com-ubuntu-server-jammy", "22_04-lts"),
            ("Linux", "V2"): ("Canonical", "0001-com-ubuntu-server-jammy", "22_04-lts-gen2"),
        }
        publisher, offer, sku = skus[self.os, self.generation]
        at = f"{self.root}/providers/Microsoft.Compute/locations/{self.location}/publishers/{publisher}/artifactTypes/VMImage"
        image = {"id": f"{at}/offers/{offer}/skus/{sku}/versions/latest"}
        security = {"securityProfile": {"securityType": self.security}} if self.security not in ("Standard", "ConfidentialVM") else {}
        self.put(
            id,
            {
                "osType": self.os,
                "hyperVGeneration": self.generation,
                "creationData": {"createOption": "FromImage", "imageReference": image},
                **security,
            },
        )

    def _snapshots(self, id: str) -> None:
        disk = self.at(id, "Microsoft.Compute/disks")
        far = _first(self.body, "createOption") == "CopyStart"  # copies an incremental snapshot from another region
        here, self.location = self.location, "eastus" if far else self.location
        if id.lower() == self.own.lower():
            self.put(disk, {"creationData": {"createOption": "Empty"}, "diskSizeGB": _first(self.body, "diskSizeGB") or 4})
        else:
            self.os_disk(disk)
        self.put(id, {"creationData": {"createOption": "Copy", "sourceResourceId": disk}, "incremental": far})
        self.location = here

    def _images(self, id: str) -> None:
        disk = self.at(id, "Microsoft.Compute/disks")
        self.os_disk(disk)
        profile = {"osDisk": {"osType": self.os, "osState": "Generalized", "managedDisk": {"id": disk}}}
        machine = (self.properties.get("sourceVirtualMachine") or {}).get("id")
        if machine and id.lower() == self.own.lower():
            self.put(id, {"hyperVGeneration": self.generation, "sourceVirtualMachine": {"id": machine}})
        else:
            self.put(id, {"hyperVGeneration": self.generation, "storageProfile": profile})

    def _virtualmachines(self, id: str) -> None:
        self.machine(id)
        if self.state == "Generalized" and "sourceVirtualMachine" in self.properties:
            self.send("POST", f"{id}/deallocate")
            self.send("POST", f"{id}/generalize")

    def machine(self, id: str, **vhds: str) -> None:
        """A machine of a platform image, with managed disks or in these VHDs."""
        unmanaged = vhds or self.path.lower().endswith(("/converttomanageddisks", "/capture"))
        vhd = {"vhd": {"uri": vhds.get("os") or f"https://presupposed.blob.core.windows.net/vhds/{self.name('os')}.vhd"}}
        disk = {"createOption": "FromImage", "name": self.name("os"), **(vhd if unmanaged else {})}
        nic = self.at(id, "Microsoft.Network/networkInterfaces")
        self.ensure(nic)
        asked = self.path.lower()
        traits: dict[str, Any] = {}
        if asked.endswith("/simulateeviction"):
            traits = {"priority": "Spot", "evictionPolicy": "Deallocate"}
        if asked.endswith("/retrievebootdiagnosticsdata"):
            traits = {"diagnosticsProfile": {"bootDiagnostics": {"enabled": True}}}
        if "hibernate" in self.query:
            traits = {"additionalCapabilities": {"hibernationEnabled": True}}
        self.put(
            id,
            {
                **traits,
                "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
                "storageProfile": {
                    "imageReference": WINDOWS if self.os == "Windows" else LINUX,
                    "osDisk": disk,
                    "dataDisks": self.attached() if not unmanaged else [],
                },
                "osProfile": {"computerName": "presupposed", "adminUsername": "builder", "adminPassword": "Correct-Horse-9"},
                "networkProfile": {"networkInterfaces": [{"id": nic}]},
            },
            "storageProfile.imageReference",
            "storageProfile.osDisk",
            "networkProfile",
            "osProfile",
        )

    def attached(self) -> list[Any]:
        """The data disks that the request speaks of as being there: it detaches them, or says that they are to be."""
        disks: list[Any] = []
        for one in self.body.get("dataDisksToDetach") or []:
            self.ensure(one["diskId"])
            disks.append({"lun": 10 + len(disks), "createOption": "Attach", "managedDisk": {"id": one["diskId"]}})
        for one in self.properties.get("excludeDisks") or []:
            self.ensure(one["id"])
            disks.append({"lun": 10 + len(disks), "createOption": "Attach", "managedDisk": {"id": one["id"]}})
        named = (self.properties.get("storageProfile") or {}).get("dataDisks") or [] if self.method != "PUT" else []
        return disks + [
            {"lun": one["lun"], "createOption": "Empty", "diskSizeGB": one["diskSizeGB"]} for one in named if "toBeDetached" in one
        ]

    def _virtualmachines_extensions(self, id: str) -> None:
        given = {"publisher": "Microsoft.Azure.Extensions", "type": "CustomScript", "typeHandlerVersion": "2.1"}
        self.put(id, {**given, "settings": {"commandToExecute": "true"}}, "publisher", "type", "typeHandlerVersion")

    def _virtualmachines_runcommands(self, id: str) -> None:
        self.put(id, {"source": {"script": "echo hello"}})

    def _virtualmachinescalesets(self, id: str) -> None:
        if "virtualMachineScaleSet" in self.properties:  # a machine joins it
            self.put(id, {"orchestrationMode": "Flexible", "platformFaultDomainCount": 2})
            return
        ip = {"name": "ip", "properties": {"subnet": {"id": self.subnet(id)}}}
        profile = {
            "storageProfile": {
                "imageReference": LINUX,
            },
            "osProfile": {"computerNamePrefix": "vm", "adminUsername": "builder", "adminPassword": "Correct-Horse-9"},
            "networkProfile": {
                "networkInterfaceConfigurations": [{"name": "nic", "properties": {"primary": True, "ipConfigurations": [ip]}}]
            },
        }
        if "upgrade" in self.path.lower():
            health = {"publisher": "Microsoft.ManagedServices", "type": "ApplicationHealthWindows", "typeHandlerVersion": "1.0"}
            profile["extensionProfile"] = {"extensions": [{"name": "health", "properties": health}]}
        properties = {"upgradePolicy": {"mode": "Manual"}, "virtualMachineProfile": profile}
        self.put(id, properties, sku={"name": "Standard_D2s_v3", "capacity": 2})

    def _virtualmachinescalesets_rollingupgrades(self, id: str) -> None:
        self.send("POST", f"{'/'.join(id.split('/')[:9])}/osRollingUpgrade")

    def _galleries(self, id: str) -> None:
        properties: dict[str, Any] = {}
        if self.path.lower().endswith("/share"):
            properties = self.shared("Community" if self.body.get("operationType") == "EnableCommunity" else "Groups")
        if (found := re.search("/softDeletedArtifactTypes/images/artifacts/([^/]+)", self.path, re.IGNORECASE)) is not None:
            self.put(id, {"softDeletePolicy": {"isSoftDeleteEnabled": True}})
            self.definition(f"{id}/images/{found[1]}", "Generalized")
            self.send("DELETE", f"{id}/images/{found[1]}/versions/1.0.0")
        elif self.properties.get("restore"):
            self.put(id, {"softDeletePolicy": {"isSoftDeleteEnabled": True}})
        else:
            self.put(id, properties)

    def shared(self, permissions: str) -> dict[str, Any]:
        """A gallery's properties by which it can be shared in that way."""
        if permissions == "Groups":
            return {"sharingProfile": {"permissions": permissions}}
        info = {"publisherUri": "https://example.com", "publisherContact": "us@example.com", "eula": "none"}
        info["publicNamePrefix"] = "presupposed"
        return {"sharingProfile": {"permissions": permissions, "communityGalleryInfo": info}}

    def share(self, found: re.Match[str]) -> None:
        """A gallery that is shared with everybody or with this subscription, and what is named in it."""
        name, image, version = found[2], found[3] or "presupposed", found[4]
        if name in self.renamed:
            return
        community = found[1].lower() == "communitygalleries"
        gallery = f"{self.root}/resourceGroups/presupposed/providers/Microsoft.Compute/galleries/{self.name('shared')}"
        self.group("/".join(gallery.split("/")[:5]))
        self.put(gallery, self.shared("Community" if community else "Groups"))
        self.definition(f"{gallery}/images/{image}", self.state, version or "1.0.0")
        operation: dict[str, Any] = {"operationType": "EnableCommunity"}
        if not community:
            operation = {"operationType": "Add", "groups": [{"type": "Subscriptions", "ids": [self.sandbox.subscription_id]}]}
        self.send("POST", f"{gallery}/share", operation)
        shown = self.sandbox.store.get(gallery)
        assert shown is not None
        self.renamed[name] = (
            shown.properties["sharingProfile"]["communityGalleryInfo"]["publicNames"][0]
            if community
            else shown.properties["identifier"]["uniqueName"]
        )

    def _galleries_images(self, id: str) -> None:
        self.definition(id, self.state if not _first(self.body, "virtualMachineId") else "Specialized")

    def definition(self, id: str, state: str, version: str = "1.0.0") -> None:
        identifier = {"publisher": self.name("p"), "offer": "o", "sku": "s"}
        features = [] if self.generation == "V1" else [{"name": "SecurityType", "value": self.security}]
        self.put(
            id,
            {
                "osType": self.os,
                "osState": state,
                "hyperVGeneration": self.generation,
                "identifier": identifier,
                **({"features": features} if features else {}),
            },
            "identifier",
            "osType",
            "osState",
            "hyperVGeneration",
        )
        if not self.path.lower().startswith(id.lower()):  # a definition that is used has a version
            self._galleries_images_versions(f"{id}/versions/{version}")

    def _galleries_images_versions(self, id: str) -> None:
        source = (self.properties.get("storageProfile") or {}).get("source") if id.lower() == self.own.lower() else None
        profile = {"source": source}
        if source is None:
            disk = self.at(id, "Microsoft.Compute/disks")
            self.os_disk(disk)
            profile = {"osDiskImage": {"source": {"id": disk}}}
        self.put(id, {"publishingProfile": {"targetRegions": [{"name": self.location}]}, "storageProfile": profile})
        if self.properties.get("restore"):
            self.send("DELETE", id)

    def _galleries_applications(self, id: str) -> None:
        self.put(id, {"supportedOSType": self.os}, "supportedOSType")

    def _galleries_applications_versions(self, id: str) -> None:
        if id.rsplit("/", 1)[1].count(".") != 2:  # no version can be called so
            return
        action = {"install": "install", "remove": "remove"}
        self.put(
            id,
            {
                "publishingProfile": {
                    "source": {"mediaLink": self.as_named(_first(self.body, "mediaLink") or put_package(self.sandbox))},
                    "manageActions": action,
                    "targetRegions": [{"name": self.location}],
                }
            },
            "publishingProfile.manageActions",
        )

    # what is no resource of this subscription

    def package(self, link: str) -> None:
        """A blob, in the account that the sandbox has."""
        host, name = link.split("/", 3)[2:]
        self.renamed[host] = f"{ACCOUNT}.blob.core.windows.net"
        self.sandbox.store.put_blob(name.partition("?")[0], b"package")

    def vhd(self, url: str) -> None:
        """A blob with a generalized system disk: what a machine with unmanaged disks left."""
        group = f"{self.root}/resourceGroups/presupposed"
        self.group(group)
        machine = f"{group}/providers/Microsoft.Compute/virtualMachines/{self.name('vm')}"
        self.machine(machine, os=url)
        shell, script = "RunShellScript", "waagent -deprovision+user -force"
        if self.os == "Windows":
            shell, script = "RunPowerShellScript", r"C:\Windows\System32\Sysprep\sysprep.exe /generalize /oobe /quit"
        self.send("POST", f"{machine}/runCommand", {"commandId": shell, "script": [script]})
        self.send("POST", f"{machine}/deallocate")
        self.send("POST", f"{machine}/generalize")
        self.send("DELETE", machine)

    def images(self) -> None:
        """The platform images that are named are to be had."""
        for one in _dicts(self.body):
            parts = [one.get(name) for name in ("publisher", "offer", "sku", "version")]
            if all(isinstance(part, str) for part in parts):
                self.publish(*map(str, parts))
        for text in (*self.named, self.path):
            if (found := _PLATFORM.search(text)) is not None:
                self.publish(found[1], found[2], found[3], found[4] or "1.0.0")
            elif (found := re.search("/publishers/([^/]+)/artifacttypes/vmimage/offers(?:/([^/]+))?", text)) is not None:
                self.publish(found[1], found[2] or "offer", "sku", "1.0.0")

    def publish(self, publisher: str, offer: str, sku: str, version: str) -> None:
        key = find(self.sandbox, publisher, offer, sku)
        if key is not None and (version.lower() == "latest" or version in skus(self.sandbox)[key].versions):
            return
        version = version if re.fullmatch(r"[\d.]+", version) else "1.0.0"
        properties: dict[str, Any] = {"osDiskImage": {"operatingSystem": self.os, "sizeInGb": self.size}}
        properties |= {"hyperVGeneration": self.generation, "architecture": "x64", "dataDiskImages": [], "features": []}
        if self.security != "Standard":
            properties["features"] = [{"name": "SecurityType", "value": f"{self.security.replace('VM', 'Vm')}Supported"}]
        plan = self.body.get("plan") or {}
        sold = (plan.get("publisher"), plan.get("product")) == (publisher, offer)
        if sold:
            properties["plan"] = plan
        publish(self.sandbox, {"publisher": publisher, "offer": offer, "sku": sku, "version": version, "properties": properties})
        if sold:
            agreement = f"Microsoft.MarketplaceOrdering/agreements/{publisher}/offers/{offer}/plans/{plan['name']}"
            self.send("POST", f"{self.root}/providers/{agreement}/sign")


def _chain(path: str) -> Iterator[str]:
    """The ids of the resources on the way to what a path names, outermost first; an action or a list at its end is none."""
    parts = path.split("/")
    if len(parts) > 6 and parts[3].lower() == "resourcegroups":
        for length in range(9, len(parts) + 1, 2):
            yield "/".join(parts[:length])


def _walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name.startswith("/"):  # user-assigned identities are named by keys
                yield path, name
            yield from _walk(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner, path)
    else:
        yield path, value


def _texts(value: Any) -> Iterator[str]:
    return (inner for _, inner in _walk(value) if isinstance(inner, str))


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _dicts(inner)


def _first(value: Any, name: str) -> Any:
    """The first value of that name, anywhere in a body."""
    return next((one[name] for one in _dicts(value) if one.get(name) is not None), None)
