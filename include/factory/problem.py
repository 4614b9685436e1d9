"""A problem of a recipe: where it is, what it is and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic_core import PydanticCustomError

Location = tuple[str | int, ...]


@dataclass(frozen=True, order=True)
class Problem:
    """As a compiler prints it: ``file:line: field: message. cure``. `line` counts from 1; `field` is dotted, ``steps[2].timeout``."""

    file: str
    line: int
    field: str
    message: str
    cure: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: {self.field}: " if self.field else f"{self.file}:{self.line}: "
        return f"{where}{self.message}. {self.cure}".rstrip()


@dataclass(frozen=True)
class Contradiction:
    """A problem that shows only when fields are seen together, at the field that should change."""

    location: Location
    message: str
    cure: str

    def __str__(self) -> str:
        return f"{dotted(self.location)}: {self.message}. {self.cure}"


class RecipeError(ValueError):
    """A recipe cannot be used; `problems` holds every one of its problems."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def refusal(message: str, cure: str) -> PydanticCustomError:
    """The error by which a field's validator refuses a value, with its cure."""
    return PydanticCustomError("refused", "{message}. {cure}", {"message": message, "cure": cure})


def dotted(location: Location) -> str:
    """``("steps", 2, "timeout")`` as ``steps[2].timeout``."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
