"""Request bodies as Resource Manager reads them: templates with comments, and what `az` makes of them."""

from __future__ import annotations

import pytest

from include.sandbox.wire import ArmError, parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1} // the end', {"a": 1}),
        ('{/* two\nlines */ "a": "//no /* comment */"}', {"a": "//no /* comment */"}),
        ('{"a": "first\n\tsecond"}', {"a": "first\n\tsecond"}),
        (
            '{"properties": {"mode": "Incremental", template:{"$schema": "x"}}}',
            {"properties": {"mode": "Incremental", "template": {"$schema": "x"}}},
        ),
        ("{'a': 'it\\'s \"so\"', b : [true, null, 1.5e3]}", {"a": 'it\'s "so"', "b": [True, None, 1500.0]}),
        ('{"a": "\\"name: 1\\" // \\u00e9"} //', {"a": '"name: 1" // é'}),
    ],
)
def test_what_is_read(text: str, value: object) -> None:
    assert parse(text.encode()) == value


@pytest.mark.parametrize("text", ["{", "{a}", "{'a': 1", '{"a": tru}', '{"a" 1}', '{"a": "b', "/*", "\\", b"\xff{}"])
def test_what_is_refused(text: str | bytes) -> None:
    with pytest.raises(ArmError) as refused:
        parse(text if isinstance(text, bytes) else text.encode())
    assert refused.value.code == "InvalidRequestContent"
