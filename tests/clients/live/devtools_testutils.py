"""What Microsoft's live tests import of its test tools, as far as they use it: clients, and a resource group, on whatever answers as Azure.

Run by the Python that `pins/live.txt` is installed for.
"""

from __future__ import annotations

import functools
import importlib
import os
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest


class AzureMgmtRecordedTestCase:
    is_live = True

    def create_mgmt_client(self, kind: Any, **options: Any) -> Any:
        credential = importlib.import_module("azure.identity").EnvironmentCredential()
        return kind(credential=credential, subscription_id=os.environ["AZURE_SUBSCRIPTION_ID"], **options)

    def get_settings_value(self, name: str) -> str:
        return os.environ[f"AZURE_{name}"]

    def get_resource_name(self, name: str) -> str:
        return f"{name}{uuid.uuid5(uuid.NAMESPACE_DNS, type(self).__module__).hex[:8]}"


AzureMgmtTestCase = AzureMgmtRecordedTestCase


class RandomNameResourceGroupPreparer:
    """A resource group for the time of one test."""

    def __init__(self, location: str) -> None:
        self.location = location

    def __call__(self, test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def prepared(case: Any) -> None:
            kind = importlib.import_module("azure.mgmt.resource.resources").ResourceManagementClient
            groups = case.create_mgmt_client(kind).resource_groups
            name = f"rg-{uuid.uuid4().hex[:12]}"
            groups.create_or_update(name, {"location": self.location})
            try:
                test(case, resource_group=SimpleNamespace(name=name, location=self.location))
            finally:
                groups.begin_delete(name).result()

        del prepared.__wrapped__  # pytest would ask it for `resource_group`
        return prepared


def recorded_by_proxy(test: Callable[..., None]) -> Callable[..., None]:
    return test


@pytest.fixture(scope="session")
def test_proxy() -> None:
    """There is none: what answers is not recorded."""


def _nothing(**_: str) -> None:
    """There is no recording from which anything would have to be removed."""


add_general_regex_sanitizer = add_header_regex_sanitizer = add_body_key_sanitizer = _nothing
