"""What a request body may hold: Azure's public schema, as the official SDK's model classes carry it.

A model is named `compute.GalleryImageVersion` or `network.Subnet`; those of `keyvault` and `deployments` are in declared.py. The SDK is
imported when the first body is checked (half a second), a model is read when it is first met, and both only once in a process.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, Union, get_args, get_origin

from .declared import MODELS

PACKAGES = {
    "compute": "azure.mgmt.compute",
    "network": "azure.mgmt.network",
    "resources": "azure.mgmt.resource.resources",
    "storage": "azure.mgmt.storage",
}

# Enumerations in name only: the SDK lists what there was when it was made, and Azure takes what there is by now.
GROWING = frozenset({"VirtualMachineSizeTypes", "ExtendedLocationTypes", "StorageAccountType"})

# What Azure shows and no model has (recorded answers): clients that put back what they got send it.
SHOWN = {
    "DiskProperties": ("isArmResource",),
    "SnapshotProperties": ("isArmResource",),
    "GalleryImageVersionPublishingProfile": ("regions", "scaleTier", "source"),
    "NetworkInterfaceIPConfigurationPropertiesFormat": ("isInUseWithService",),
    "NetworkInterfacePropertiesFormat": (
        "allowPort25Out",
        "bareMetalServer",
        "linkedResourceType",
        "services",
        "virtualNetworkTapProvisioningState",
    ),
    "SubnetPropertiesFormat": ("subnetID",),
}


@dataclass(slots=True)
class Kind:
    """What a value is: `what` is str, int, float, bool, time, any, enum, list, map or object.

    `title` is the type's name in messages; `inner` the kind of a list's or map's values; `values` an enum's, from lower case to Azure's own
    casing.
    """

    what: str
    title: str
    inner: Kind | None = None
    values: dict[str, str] = field(default_factory=dict)
    models: ModuleType | None = None

    @property
    def shape(self) -> Shape:
        """An object's."""
        return _shape(self.models, self.title) if self.models is not None else _declared(self.title)


@dataclass(slots=True)
class Member:
    """One member of an object, with its name as Azure writes it. What is not `settable` clients only read, and may send back as it is."""

    name: str
    kind: Kind
    required: bool
    settable: bool


@dataclass(slots=True)
class Shape:
    """An object: its members, by lower-case name."""

    title: str
    members: dict[str, Member]


_WORDS: dict[str, type] = {"str": str, "int": int, "bool": bool}
STRING = Kind("str", "System.String")
ANY = Kind("any", "System.Object")
_PLAIN = {
    str: STRING,
    int: Kind("int", "System.Int32"),
    float: Kind("float", "System.Double"),
    bool: Kind("bool", "System.Boolean"),
    datetime: Kind("time", "System.DateTime"),
    timedelta: STRING,
}


def shape(model: str) -> Shape:
    """The shape of `compute.Disk`. Raises AttributeError for a model that the SDK does not have."""
    library, name = model.split(".")
    if library in ("keyvault", "deployments"):
        return _declared(name)
    return _shape(import_module(f"{PACKAGES[library]}.models"), name)


@cache
def _shape(models: ModuleType, title: str) -> Shape:
    members = {name.lower(): Member(name, ANY, required=False, settable=False) for name in SHOWN.get(title, ())}
    for owner in reversed(getattr(models, title).__mro__):
        annotations = vars(owner).get("__annotations__", {})
        for attribute, declared in vars(owner).items():
            if attribute in annotations and hasattr(declared, "_rest_name_input"):
                name = declared._rest_name_input or attribute
                kind, optional = _read(models, annotations[attribute])
                settable = declared._visibility != ["read"]
                members[name.lower()] = Member(name, kind, required=settable and not optional, settable=settable)
    return Shape(title, members)


@cache
def _declared(title: str) -> Shape:
    found = MODELS[title]
    return Shape(title, {name.lower(): Member(name, _written(what), required, settable=True) for name, required, what in found})


def _written(what: str) -> Kind:
    """The kind that declared.py's notation describes."""
    if what[0] in "[{":
        name, title = ("list", "List") if what[0] == "[" else ("map", "Dictionary")
        return Kind(name, f"System.Collections.Generic.{title}", inner=_written(what[1:-1]))
    if "|" in what:
        return Kind("enum", "System.String", values={one.lower(): one for one in what.split("|")})
    return Kind("object", what) if what[0].isupper() else _PLAIN[_WORDS[what]] if what in _WORDS else ANY


def _read(models: ModuleType, annotation: Any) -> tuple[Kind, bool]:
    """The kind that an annotation of the SDK describes, and whether the value may be absent."""
    named = annotation if isinstance(annotation, str) else getattr(annotation, "__forward_arg__", None)
    if named is not None:
        annotation = getattr(models, named.rsplit(".", 1)[-1])
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Union:  # Optional[X], or Union[str, AnEnum]: the last is what matters
        rest = [one for one in arguments if one is not type(None)]
        return _read(models, rest[-1])[0], len(rest) < len(arguments)
    if origin in (list, set):
        return Kind("list", "System.Collections.Generic.List", inner=_read(models, arguments[0])[0]), False
    if origin is dict:
        return Kind("map", "System.Collections.Generic.Dictionary", inner=_read(models, arguments[1])[0]), False
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        if annotation.__name__ in GROWING:
            return STRING, False
        spelled = {
            text: str(one.value) for one in annotation for text in (str(one.value).lower(), str(one.value).lower().replace(", ", ","))
        }
        return Kind("enum", annotation.__name__, values=spelled), False  # .NET reads "A,B" as it reads "A, B"
    if isinstance(annotation, type) and annotation.__module__ == f"{models.__name__}._models":
        return Kind("object", annotation.__name__, models=models), False
    return _PLAIN.get(annotation, ANY), False
