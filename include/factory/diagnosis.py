"""All problems of one file's data, in words, with lines: of a recipe, or of any other model of the catalogue.

Pydantic reports every bad field at once but then no contradictions, since there is no recipe to look at. So the bad fields are taken
out and the rest is looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from yaml.nodes import Node

from include.factory.contradiction import contradictions
from include.factory.field_text import field_texts
from include.factory.problem import Contradiction, Location, Problem, dotted
from include.factory.recipe import Recipe
from include.factory.yaml_file import locate

FILLED_IN = ("scripts", "parent_image")


M = TypeVar("M", bound=BaseModel)


def diagnose(file: str, data: Any, node: Node) -> tuple[list[Problem], Recipe | None]:
    """The problems of a recipe's `data`, and the recipe as far as it can be read without them (None when too little is left)."""
    return diagnose_as(Recipe, file, data, node, contradictions, FILLED_IN)


def diagnose_as(
    model: type[M],
    file: str,
    data: Any,
    node: Node,
    contradictions: Callable[[M], Iterable[Contradiction]] = lambda _: (),
    filled_in: tuple[str, ...] = (),
) -> tuple[list[Problem], M | None]:
    """The same of any model; ``filled_in`` are fields that no file may have, ``contradictions`` what fields seen together say."""
    if not isinstance(data, dict):
        return [Problem(file, 1, "", "the file is not a mapping of fields", "Start with `name: …`; see the docs.")], None
    problems: dict[tuple[int, str], Problem] = {}
    rest = deepcopy(data)
    removed: set[Location] = set()
    for field in filled_in:
        if field in rest:
            removed.add((field,))
            del rest[field]
            line, _ = locate(node, (field,))
            problems[line, field] = Problem(
                file, line, field, "the field is unknown", _nearest(field, [name for name in model.model_fields if name not in filled_in])
            )
    for _ in range(8):
        try:
            found_value = model.model_validate(rest, context={"contradictory": True})
            for one in contradictions(found_value):
                written = _as_written(one.location, removed)
                line, _ = locate(node, written)
                problems.setdefault((line, dotted(written)), Problem(file, line, dotted(written), one.message, one.cure))
            return list(problems.values()), found_value
        except ValidationError as error:
            bad: set[Location] = set()
            for shifted, message, cure, missing in _faults(error, model):
                location = _as_written(shifted, removed)
                line, found = locate(node, location[:-1] if missing else location)
                shown = (*found, location[-1]) if missing else found
                # What was taken out, or stood there alone, is missing now: no problem of the file's, but what lacks it must go too.
                consequence = any(shown[: len(gone)] == gone or gone[: len(shown)] == shown for gone in removed)
                if not consequence:
                    problems.setdefault((line, dotted(shown)), Problem(file, line, dotted(shown), message, cure))
                if found and (consequence or not missing):
                    bad.add(found)
            if not bad:
                break
            for location in bad:
                _take_out(rest, location, removed)
            removed |= bad
    return list(problems.values()), None


def _take_out(data: Any, location: Location, removed: set[Location]) -> None:
    """Remove what is at `location` of the file from `data`, from whose lists the items `removed` are gone already."""
    for depth, part in enumerate(location, start=1):
        key = part - sum(item < part for item in _items_gone(location[: depth - 1], removed)) if isinstance(part, int) else part
        try:
            if depth < len(location):
                data = data[key]
            else:
                del data[key]
                removed.add(location)
        except (KeyError, IndexError, TypeError):
            return  # something above it is out already


def _as_written(location: Location, removed: set[Location]) -> Location:
    """`location` in what is left, as a location of the file: items of a list that were taken out count again."""
    written: Location = ()
    for part in location:
        if isinstance(part, int):
            for item in _items_gone(written, removed):
                part += item <= part
        written = (*written, part)
    return written


def _items_gone(place: Location, removed: set[Location]) -> list[int]:
    """Indexes, in the file, of the items that were taken out of the list at `place`."""
    return sorted(item for *above, item in removed if tuple(above) == place and isinstance(item, int))


def _faults(error: ValidationError, model: type[BaseModel]) -> Iterator[tuple[Location, str, str, bool]]:
    """(location, message, cure, whether the field is missing) of everything in the error."""
    for fault in error.errors(include_url=False):
        context: dict[str, Any] = fault.get("ctx", {})
        location: Location = tuple(part for part in fault["loc"] if not str(part).startswith("~"))
        fields = _fields_at(model, fault["loc"][:-1])
        kind, written = fault["type"], fault.get("input")
        if kind == "refused":
            yield location, context["message"], context["cure"], False
        elif kind == "missing":
            yield location, "the field is missing", _about(model, fault["loc"]), True
        elif kind == "extra_forbidden":
            yield location, "the field is unknown", _nearest(str(location[-1]), fields), False
        else:
            yield location, *_words(kind, context, written, fault["msg"]), False


def _words(kind: str, context: dict[str, Any], written: Any, message: str) -> tuple[str, str]:
    shown = (
        f"{written!r}"
        if isinstance(written, str | int | float | bool)
        else f"a {type(written).__name__}".replace("NoneType", "null").replace("a null", "null")
    )
    shown = shown.replace("a dict", "a mapping")
    if kind == "literal_error":
        if f"'{written}'" in context["expected"] and not isinstance(written, str):
            return f"{shown} is not text", f"Put it in quotes: '{written}'."
        expected = context["expected"].replace("'", "")
        return f"{shown} is not one of its values", f"Write {expected}."
    if kind == "string_type":
        cure = f"Put it in quotes: '{written}'." if isinstance(written, int | float) else "Write one word or line of text."
        return f"{shown} is not text", cure
    if kind in ("int_type", "int_parsing", "int_from_float"):
        return f"{shown} is not a whole number", "Write digits only."
    if kind in ("bool_type", "bool_parsing"):
        return f"{shown} is neither true nor false", "Write true or false."
    if kind in ("tuple_type", "list_type"):
        return f"{shown} is not a list", "Write one item a line, each after `- `."
    if kind in ("dict_type", "model_type", "model_attributes_type"):
        return f"{shown} is not a mapping", "Write `key: value` pairs below it."
    bounds = {
        "greater_than_equal": ("under", "ge"),
        "less_than_equal": ("over", "le"),
        "greater_than": ("not over", "gt"),
        "less_than": ("not under", "lt"),
    }
    if kind in bounds:
        word, key = bounds[kind]
        return f"{shown} is {word} {context[key]}", f"Choose a number {'of at least' if key[0] == 'g' else 'of at most'} {context[key]}."
    if kind in ("string_too_long", "too_long"):
        return f"it is longer than {context['max_length']}", "Shorten it."
    if kind in ("string_too_short", "too_short"):
        return "it is empty", "Fill it in, or leave the field out."
    return message[0].lower() + message[1:], "See docs/recipe.md."


def _nearest(field: str, known: list[str]) -> str:
    nearest = get_close_matches(field.lower(), known, n=1, cutoff=0.6)
    return f"Did you mean {nearest[0]}?" if nearest else f"Fields here: {', '.join(known)}." if known else "Remove it."


def _fields_at(model: type[BaseModel], location: Location) -> list[str]:
    there = _model_at(model, location)
    return [name for name in there.model_fields if name not in FILLED_IN] if there else []


def _model_at(model: type[BaseModel], location: Location) -> type[BaseModel] | None:
    """The model whose fields stand at `location` of `model`."""
    types: list[Any] = [model]
    for part in location:
        if isinstance(part, int):
            continue
        if str(part).startswith("~"):
            types = [one for one in types if f"~{one.__name__}" == part]
        else:
            annotations = [one.model_fields[part].annotation for one in types if part in one.model_fields]
            types = [one for annotation in annotations for one in _models(annotation)]
    return types[0] if types else None


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _about(model: type[BaseModel], location: Location) -> str:
    there = _model_at(model, location[:-1])
    text = field_texts(there).get(str(location[-1]), "").split(". ")[0].rstrip(".") if there else ""
    return f"Add it: {text[:1].lower()}{text[1:]}." if text else "Add it."
