"""The template language's functions on strings, arrays and objects."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote, unquote, urljoin

from .errors import TemplateError
from .functions import array, function, kind_of, mapping, number, same, text, wrong
from .hashing import name_guid, unique_string


def shown(value: Any) -> str:
    """A value as `string()` and `concat` print it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "True" if value else "False"
    if value is None:
        return ""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


@function("concat", 1, None)
def _concat(*values: Any) -> Any:
    if isinstance(values[0], list):
        return [item for value in values for item in array("concat", value)]
    for value in values:
        if isinstance(value, list | dict):
            raise wrong("concat", "strings or arrays, all of one kind", value)
    return "".join(shown(value) for value in values)


@function("format", 1, None)
def _format(pattern: Any, *values: Any) -> str:
    out, at, pattern = [], 0, text("format", pattern)
    while at < len(pattern):
        sign = pattern[at]
        if sign in "{}" and pattern[at + 1 : at + 2] == sign:
            out.append(sign)
            at += 2
        elif sign == "{":
            end = pattern.find("}", at)
            place, _, shape = pattern[at + 1 : end].partition(":")
            if end < 0 or not place.strip().isdigit() or int(place) >= len(values):
                raise TemplateError(
                    "Unable to evaluate template language function 'format': the format string is not valid for the arguments given. "
                    "Please see https://aka.ms/arm-functions#format for usage details."
                )
            out.append(_shaped(values[int(place)], shape))
            at = end + 1
        else:
            out.append(sign)
            at += 1
    return "".join(out)


def _shaped(value: Any, shape: str) -> str:
    """.NET's standard number formats D, N, X, and runs of zeros."""
    if shape and isinstance(value, int) and not isinstance(value, bool):
        digits = int(shape[1:]) if shape[1:].isdigit() else 0
        if shape[0] in "dD":
            return f"{value:0{digits}d}"
        if shape[0] in "nN":
            return f"{value:,.{digits or 2}f}"
        if shape[0] in "xX":
            return f"{value:0{digits}{shape[0]}}"
        if set(shape) == {"0"}:
            return f"{value:0{len(shape)}d}"
    return shown(value)


@function("string", 1)
def _string(value: Any) -> str:
    return shown(value)


@function("toLower", 1)
def _lower(value: Any) -> str:
    return text("toLower", value).lower()


@function("toUpper", 1)
def _upper(value: Any) -> str:
    return text("toUpper", value).upper()


@function("trim", 1)
def _trim(value: Any) -> str:
    return text("trim", value).strip()


@function("replace", 3)
def _replace(value: Any, old: Any, new: Any) -> str:
    return text("replace", value).replace(text("replace", old), text("replace", new))


@function("split", 2)
def _split(value: Any, at: Any) -> list[str]:
    signs = [at] if isinstance(at, str) else array("split", at)
    parts = [text("split", value)]
    for sign in signs:
        parts = [piece for part in parts for piece in part.split(text("split", sign))]
    return parts


@function("join", 2)
def _join(values: Any, between: Any) -> str:
    return text("join", between).join(shown(value) for value in array("join", values))


@function("substring", 2, 3)
def _substring(value: Any, start: Any, length: Any = None) -> str:
    whole, first = text("substring", value), number("substring", start)
    many = len(whole) - first if length is None else number("substring", length)
    if first < 0 or many < 0 or first + many > len(whole):
        raise TemplateError(
            "Unable to evaluate the template language function 'substring'. The index and length parameters must refer to a location "
            f"within the string. The index parameter: '{first}', the length parameter: '{many}', the length of the string parameter: "
            f"'{len(whole)}'. Please see https://aka.ms/arm-functions#substring for usage details."
        )
    return whole[first : first + many]


@function("padLeft", 2, 3)
def _pad_left(value: Any, width: Any, sign: Any = " ") -> str:
    return shown(value).rjust(number("padLeft", width), text("padLeft", sign))


@function("startsWith", 2)
def _starts(value: Any, part: Any) -> bool:
    return text("startsWith", value).lower().startswith(text("startsWith", part).lower())


@function("endsWith", 2)
def _ends(value: Any, part: Any) -> bool:
    return text("endsWith", value).lower().endswith(text("endsWith", part).lower())


@function("indexOf", 2)
def _index_of(value: Any, part: Any) -> int:
    if isinstance(value, list):
        return next((place for place, item in enumerate(value) if same(item, part)), -1)
    return text("indexOf", value).lower().find(text("indexOf", part).lower())


@function("lastIndexOf", 2)
def _last_index_of(value: Any, part: Any) -> int:
    if isinstance(value, list):
        return next((place for place in range(len(value) - 1, -1, -1) if same(value[place], part)), -1)
    return text("lastIndexOf", value).lower().rfind(text("lastIndexOf", part).lower())


@function("uniqueString", 1, None)
def _unique(*values: Any) -> str:
    return unique_string(*(text("uniqueString", value) for value in values))


@function("guid", 1, None)
def _guid(*values: Any) -> str:
    return name_guid(*(text("guid", value) for value in values))


@function("base64", 1)
def _base64(value: Any) -> str:
    return base64.b64encode(text("base64", value).encode()).decode()


def _decoded(name: str, value: Any) -> str:
    try:
        return base64.b64decode(text(name, value), validate=True).decode()
    except ValueError:
        raise wrong(name, "a base64 string", value) from None


@function("base64ToString", 1)
def _base64_to_string(value: Any) -> str:
    return _decoded("base64ToString", value)


@function("base64ToJson", 1)
def _base64_to_json(value: Any) -> Any:
    return parsed(_decoded("base64ToJson", value))


@function("dataUri", 1)
def _data_uri(value: Any) -> str:
    return "data:text/plain;charset=utf8;base64," + base64.b64encode(shown(value).encode()).decode()


@function("dataUriToString", 1)
def _data_uri_to_string(value: Any) -> str:
    head, comma, tail = text("dataUriToString", value).partition(",")
    if not comma or not head.lower().startswith("data:"):
        raise TemplateError(
            "The template language function 'dataUriToString' expects its parameter to be formatted as a valid data URI. The provided "
            f"value '{value}' was not formatted correctly. Please see https://aka.ms/arm-functions#dataUriToString for usage details."
        )
    return _decoded("dataUriToString", tail) if head.lower().endswith(";base64") else unquote(tail)


@function("uri", 2)
def _uri(base: Any, relative: Any) -> str:
    return urljoin(text("uri", base), text("uri", relative))


@function("uriComponent", 1)
def _uri_component(value: Any) -> str:
    return quote(text("uriComponent", value), safe="!'()*-._~")


@function("uriComponentToString", 1)
def _uri_component_to_string(value: Any) -> str:
    return unquote(text("uriComponentToString", value))


@function("json", 1)
def parsed(value: Any) -> Any:
    """The value of JSON text."""
    try:
        return json.loads(text("json", value))
    except json.JSONDecodeError:
        raise TemplateError(
            f"The template language function 'json' parameter is not valid. The provided value '{value}' cannot be converted to the target "
            "type. Please see https://aka.ms/arm-functions#json for usage details."
        ) from None


@function("array", 1)
def _array(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@function("createArray", 0, None)
def _create_array(*values: Any) -> list[Any]:
    return list(values)


@function("createObject", 0, None)
def _create_object(*values: Any) -> dict[str, Any]:
    if len(values) % 2:
        raise TemplateError("Unable to evaluate template language function 'createObject': an even number of arguments is required.")
    return {text("createObject", key): value for key, value in zip(values[::2], values[1::2], strict=True)}


@function("length", 1)
def _length(value: Any) -> int:
    if not isinstance(value, str | list | dict):
        raise wrong("length", "an array, object, or string", value)
    return len(value)


@function("empty", 1)
def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | dict) and len(value) == 0)


@function("contains", 2)
def _contains(container: Any, item: Any) -> bool:
    if isinstance(container, str):
        return text("contains", item) in container
    if isinstance(container, dict):
        return text("contains", item).lower() in {key.lower() for key in container}
    return any(same(one, item) for one in array("contains", container))


def _end(name: str, value: Any, place: int) -> Any:
    if isinstance(value, str):
        return value[place] if value else ""
    found = array(name, value)
    return found[place] if found else None


@function("first", 1)
def _first(value: Any) -> Any:
    return _end("first", value, 0)


@function("last", 1)
def _last(value: Any) -> Any:
    return _end("last", value, -1)


def _sliced(name: str, value: Any) -> str | list[Any]:
    if not isinstance(value, str | list):
        raise wrong(name, "an array or a string", value)
    return value


@function("take", 2)
def _take(value: Any, count: Any) -> Any:
    return _sliced("take", value)[: max(0, number("take", count))]


@function("skip", 2)
def _skip(value: Any, count: Any) -> Any:
    return _sliced("skip", value)[max(0, number("skip", count)) :]


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    out = dict(one)
    for key, value in other.items():
        out[key] = _merged(out[key], value) if isinstance(out.get(key), dict) and isinstance(value, dict) else value
    return out


@function("union", 2, None)
def _union(*values: Any) -> Any:
    if isinstance(values[0], dict):
        out: dict[str, Any] = {}
        for value in values:
            out = _merged(out, mapping("union", value))
        return out
    found: list[Any] = []
    for value in values:
        for item in array("union", value):
            if not any(same(item, one) for one in found):
                found.append(item)
    return found


@function("intersection", 2, None)
def _intersection(*values: Any) -> Any:
    if isinstance(values[0], dict):
        rest = [mapping("intersection", value) for value in values[1:]]
        return {key: value for key, value in values[0].items() if all(key in one and same(one[key], value) for one in rest)}
    lists = [array("intersection", value) for value in values]
    return [item for item in lists[0] if all(any(same(item, one) for one in other) for other in lists[1:])]


@function("flatten", 1)
def _flatten(value: Any) -> list[Any]:
    return [item for part in array("flatten", value) for item in (part if isinstance(part, list) else [part])]


@function("items", 1)
def _items(value: Any) -> list[Any]:
    return [{"key": key, "value": found} for key, found in sorted(mapping("items", value).items())]


@function("objectKeys", 1)
def _keys(value: Any) -> list[str]:
    return sorted(mapping("objectKeys", value))


@function("shallowMerge", 1)
def _shallow_merge(values: Any) -> dict[str, Any]:
    return {key: value for one in array("shallowMerge", values) for key, value in mapping("shallowMerge", one).items()}


@function("tryGet", 2)
def _try_get(value: Any, key: Any) -> Any:
    if isinstance(value, dict) and isinstance(key, str):
        return next((found for name, found in value.items() if name.lower() == key.lower()), None)
    if isinstance(value, list) and kind_of(key) == "Integer":
        return value[key] if 0 <= key < len(value) else None
    return None
