"""Whatever is sent to it, the sandbox answers, quickly, and never with a 500.

FUZZ=20 in the environment makes twenty times as many examples, and others each time.
"""

from __future__ import annotations

import json
import os
import re
import time
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from include.sandbox.api_versions import known_versions, type_of
from include.sandbox.clock import virtual_clock
from include.sandbox.registry import ROUTES, TYPES
from include.sandbox.sandbox import Sandbox
from include.sandbox.wire import Request
from tests.sandbox.bodies import LOCATION, one_of_each, put_package
from tests.sandbox.official_examples import OPENAPI, examples

HOST = "https://management.azure.com"
RG = "/resourceGroups/rg"
COMPUTE = f"{RG}/providers/Microsoft.Compute"
NETWORK = f"{RG}/providers/Microsoft.Network"
SLOW = 10.0  # seconds of CPU that no answer may take


def root(sandbox: Sandbox) -> str:
    return f"/subscriptions/{sandbox.subscription_id}"


@cache
def furnished() -> bytes:
    """The state of a sandbox that has one of each."""
    sandbox = Sandbox(virtual_clock(), authenticate=False, throttle=False)
    put_package(sandbox)
    for path, body in one_of_each(root(sandbox)).items():
        url = f"{HOST}{root(sandbox)}{path}?api-version={newest(path)}"
        sandbox.handle(Request("PUT", url, {}, json.dumps(body).encode()))
        sandbox.clock.advance(4000)
    return sandbox.dump()


def newest(path: str) -> str:
    """An api-version that the path's type has, where it is a type."""
    versions = known_versions(type_of([part for part in path.split("?")[0].split("/") if part]))
    return versions[0] if versions else "2024-07-01"


def answered(requests: list[tuple[str, str, bytes]]) -> None:
    """Send them, one after the other and ten minutes apart, to a furnished sandbox."""
    sandbox = Sandbox(virtual_clock(), authenticate=False, throttle=False)
    sandbox.load(furnished())
    assert len(sandbox.store.of_type(sandbox.subscription_id, "Microsoft.Compute/galleries/images/versions")) == 1
    for method, path, body in requests:
        began = time.process_time()
        response = sandbox.handle(Request(method, HOST + path, {}, body))
        assert time.process_time() - began < SLOW, f"{method} {path} hangs"
        assert 200 <= response.status < 500 or response.dropped, (method, path, body, response.body)
        if response.body and response.headers.get("content-type", "").startswith("application/json"):
            json.loads(response.body)
        sandbox.clock.advance(600)
    sandbox.handle(Request("GET", f"{HOST}{root(sandbox)}/resources?api-version=2021-04-01"))
    sandbox.dump()


# what is sent

TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["", "0", "-1", "None", "true", "westeurope", "West Europe", "../..", "%00", "é" * 90, "1.0.0", "latest", "/"]),
)  # fmt: skip
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    TEXTS,
    st.integers(),
    st.floats(allow_nan=False),
    st.sampled_from([2**31, 2**63, 2**64, -(2**63), 10**30, 0.1]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)), max_leaves=6
)


@st.composite
def mutated(draw: st.DrawFn, body: Any) -> Any:
    """A valid body in which something is replaced, removed or added."""
    if isinstance(body, dict) and body and draw(st.integers(0, 5)):
        name = draw(st.sampled_from(sorted(body)))
        if not draw(st.integers(0, 7)):
            return {key: value for key, value in body.items() if key != name}
        if not draw(st.integers(0, 7)):
            return {**body, draw(TEXTS): draw(VALUES)}
        return {**body, name: draw(mutated(body[name]))}
    if isinstance(body, list) and body and draw(st.integers(0, 3)):
        at = draw(st.integers(0, len(body) - 1))
        if not draw(st.integers(0, 3)):
            return [*body, body[at]]
        return [*body[:at], draw(mutated(body[at])), *body[at + 1 :]]
    return draw(VALUES)


def ids(sandbox_root: str) -> list[str]:
    return [sandbox_root + path for path in one_of_each(sandbox_root)]


AT = f"/subscriptions/{Sandbox(virtual_clock()).subscription_id}"
KNOWN = one_of_each(AT)
ACTIONS = sorted({f"{action}" for kind in TYPES.values() for action in (*kind.actions, *kind.views)})


@st.composite
def paths(draw: st.DrawFn) -> str:
    """A path of the sandbox's, or one that looks like it."""
    how = draw(st.integers(0, 5))
    if how == 0:
        _, pattern, _ = draw(st.sampled_from(ROUTES))
        parts = [draw(st.sampled_from([LOCATION, "rg", "g", "i", "x", AT.split("/")[2]])) if part == "{}" else part for part in pattern]
        return "/" + "/".join(parts)
    path = AT + draw(st.sampled_from(sorted(KNOWN)))
    if how == 1:
        path += "/" + draw(st.sampled_from(ACTIONS))
    elif how == 2:
        path = path.rpartition("/")[0]
    elif how == 3:
        parts = path.split("/")
        parts[draw(st.integers(1, len(parts) - 1))] = draw(
            st.text(st.characters(exclude_characters="?#/\\", exclude_categories=["Cs"]), max_size=12)
        )
        path = "/".join(parts)
    return path


QUERIES = st.sampled_from(
    [
        "",
        "&$expand=instanceView",
        "&$expand=ReplicationStatus",
        *(f"&$top={one}" for one in ("0", "-1", "x", "1")),
        *(f"&$skiptoken={one}" for one in ("zzz", "-5", "9999999")),
        "&$filter=x",
        "&$filter=location eq 'westeurope'",
        "&$filter=tagName eq 'a' and tagValue eq 'b'",
        "&monitor=true",
        "&forceDeletionTypes=x",
        "&%00=%ff",
    ]
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, bytes]:
    if draw(st.booleans()):
        path = draw(st.sampled_from(sorted(KNOWN)))
        method = draw(st.sampled_from(["PUT", "PUT", "PATCH"]))
        return method, f"{AT}{path}?api-version={newest(path)}", json.dumps(draw(mutated(KNOWN[path]))).encode()
    path = draw(paths())
    shown = newest(path) if draw(st.integers(0, 7)) else draw(st.sampled_from(["", "2019-01-01", "x", "2024-07-01-preview"]))
    method = draw(st.sampled_from(["GET", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]))
    body = draw(st.one_of(st.just(b""), st.just(b"{}"), VALUES.map(lambda value: json.dumps(value).encode()), st.binary(max_size=30)))
    return method, f"{path}?api-version={shown}{draw(QUERIES)}", body


THOROUGH = int(os.environ.get("FUZZ", "1"))
CAREFUL = settings(
    max_examples=1200 * THOROUGH,
    deadline=None,
    derandomize=THOROUGH == 1,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)


@CAREFUL
@given(st.lists(requests(), min_size=1, max_size=4))
@example([("PUT", f"{AT}{COMPUTE}/disks/x?api-version=2024-03-02", json.dumps({**KNOWN[f"{COMPUTE}/disks/d"], "sku": {}}).encode())])
def test_no_request_is_answered_with_a_500(sent: list[tuple[str, str, bytes]]) -> None:
    answered(sent)


def documented() -> list[tuple[str, str, Any]]:
    """Microsoft's example requests: method, path, body."""
    return [
        (one.method, re.sub("/resourceGroups/[^/]+", "/resourceGroups/rg", one.path, flags=re.IGNORECASE), one.body)
        for one in examples(AT.rpartition("/")[2])
    ]


@pytest.mark.skipif(not OPENAPI.is_dir(), reason="Microsoft's OpenAPI documents are not here; FIDELITY names their parent")
@pytest.mark.parametrize("mutate", [False, True], ids=["as they are", "damaged"])
def test_no_documented_request_is_answered_with_a_500(mutate: bool) -> None:
    examples = documented()
    assert len(examples) > 200

    @CAREFUL
    @given(st.data())
    def damaged(data: st.DataObject) -> None:
        method, path, body = data.draw(st.sampled_from(examples))
        sent = b"" if body is None else json.dumps(data.draw(mutated(body))).encode()
        answered([(method, f"{path}?api-version={newest(path)}", sent)])

    if mutate:
        damaged()
        return
    for method, path, body in examples:
        answered([(method, f"{path}?api-version={newest(path)}", b"" if body is None else json.dumps(body).encode())])
