"""What the fields of a recipe mean, in the words that stand below each of them in the source.

Read when somebody asks (the schema, the manual, a diagnosis), and not whenever a process imports the models.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache

from pydantic import BaseModel


@cache
def field_texts(model: type[BaseModel]) -> dict[str, str]:
    """The text of each field of `model` that has one, inherited ones too."""
    texts: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if not issubclass(cls, BaseModel) or cls is BaseModel:
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
        assert isinstance(tree, ast.ClassDef)
        for field, text in zip(tree.body, tree.body[1:], strict=False):
            match field, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                    texts[name] = inspect.cleandoc(words)
    return texts
