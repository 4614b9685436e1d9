"""Whatever stands in a recipe, the answer is a recipe or problems with lines and cures, never a crash."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from include.factory.diagnosis import diagnose
from include.factory.recipe import Recipe
from include.factory.yaml_file import YamlError, parse
from tests.factory.malformed import GOOD

DATA: dict[str, Any] = yaml.safe_load(GOOD)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**12), 10**12),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text("ab:/.-_1 {}", max_size=12),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3),
    max_leaves=4,
)


def places(data: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [place, *(deeper for key, value in inner for deeper in places(value, (*place, key)))]


def changed(data: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[place[0]] = changed(data[place[0]], place[1:], value)
    return copy


@settings(deadline=None, max_examples=300)
@given(changes=st.lists(st.tuples(st.sampled_from(places(DATA)[1:]), VALUES), min_size=1, max_size=3))
def test_any_change_of_a_recipe_gives_a_recipe_or_problems(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    data = DATA
    for place, value in changes:
        try:
            data = changed(data, place, value)
        except (KeyError, IndexError, TypeError, AttributeError, ValueError):
            continue  # an earlier change took the place away
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    content, node = parse(text)

    problems, recipe = diagnose("good.yaml", content, node)

    assert (not problems) == is_good(content)
    assert problems or recipe is not None
    lines = text.count("\n")
    assert all(1 <= problem.line <= lines and problem.cure and problem.message for problem in problems)
    assert len({(problem.line, problem.field) for problem in problems}) == len(problems)


def is_good(content: Any) -> bool:
    try:
        Recipe.model_validate(content)
    except ValidationError:
        return False
    return True


@settings(deadline=None, max_examples=200)
@given(st.text("ab:-[]{}#'\"&*!|>%@ \t\n0.~<", max_size=40))
def test_any_text_is_yaml_or_a_fault_with_a_line(text: str) -> None:
    faults: list[tuple[int, str, str]] = []
    try:
        parse(text)
    except YamlError as error:
        faults = error.faults

    assert all(line >= 1 and message and cure for line, message, cure in faults)
