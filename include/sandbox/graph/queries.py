"""OData as Graph reads it: `$filter`, `$select`, `$top`, `$count` and pages. Other query options are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..filters import Filter, Test
from ..wire import ArmError, Json
from . import errors, objects

if TYPE_CHECKING:
    from ..call import Call

PAGE = 100
MOST = 999
_OPTIONS = frozenset({"$filter", "$select", "$top", "$count", "$skiptoken", "$orderby", "$format"})
_USUAL = ("id", "businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation", "preferredLanguage")
_SHOWN = {objects.USER: frozenset({*_USUAL, "surname", "userPrincipalName"})}  # of the others, everything is shown unasked


class GraphFilter(Filter):
    """A `$filter` of Graph: `eq`, `ne`, `in`, `not`, `startswith` and `endswith`, and `any` over a list. Raises ArmError 400."""

    def __init__(self, text: str, kind: str, names: frozenset[str]) -> None:
        self._kind = kind
        self._aliases: dict[str, str] = {}
        super().__init__(text, names)

    def invalid(self) -> ArmError:
        return errors.unreadable(f"Invalid filter clause: Syntax error in '{self.text}'.")

    def _name(self, word: str) -> str:
        name = self._aliases.get(word, word)
        if name.lower() not in self._names:
            raise errors.unreadable(f"Invalid filter clause: Could not find a property named '{name}' on type '{self._kind}'.")
        return super()._name(name)

    def _one(self) -> Test:
        if self._is("word", "not"):
            self._at += 1
            test = self._one()
            return lambda value_of, call: not test(value_of, call)
        ahead = self._tokens[self._at : self._at + 2]
        if len(ahead) < 2 or ahead[0][0] != "word":
            return super()._one()
        word, following = ahead[0][1], ahead[1]
        if word.lower().endswith("/any"):
            return self._any(word[: -len("/any")])
        if following == ("mark", "("):
            return super()._one()
        self._at += 1
        name, operator = self._name(word), self._next("word").lower()
        if operator == "in":
            return self._in(name)
        if operator not in ("eq", "ne"):
            raise self.invalid()
        kind = self._tokens[self._at][0] if self._at < len(self._tokens) else ""
        wanted = self._next().lower()
        if kind == "word" and wanted == "null":
            return lambda value_of, call: (value_of(name) is None) == (operator == "eq")
        return self._compare(name, operator == "eq", lambda value: value == wanted)

    def _any(self, collection: str) -> Test:
        self._at += 1
        self._next("mark", "(")
        alias = self._next("word")
        self._next("mark", ":")
        self._aliases[alias] = collection
        test = self._either()
        self._next("mark", ")")
        return test

    def _in(self, name: str) -> Test:
        self._next("mark", "(")
        wanted = [self._next("string").lower()]
        while self._is("mark", ","):
            self._at += 1
            wanted.append(self._next("string").lower())
        self._next("mark", ")")
        return self._compare(name, True, lambda value: value in wanted)


def selected(call: Call, kind: str, found: Json, *, typed: bool) -> Json:
    """What is shown of an object: what `$select` names, or what is shown unasked; with its type where a list may hold several."""
    asked = [name.strip() for name in call.query.get("$select", "").split(",") if name.strip()]
    names = {name.lower(): name for name in found}
    for name in asked:
        if name.lower() not in names and kind == objects.kind_of(found):
            what = f"Parsing OData Select and Expand failed: Could not find a property named '{name}' on type '{kind}'."
            raise errors.unreadable(what)
    usual = _SHOWN.get(objects.kind_of(found))
    chosen = [names[name.lower()] for name in asked if name.lower() in names] or [name for name in found if not usual or name in usual]
    shown = {name: found[name] for name in chosen if name != objects.TYPE}
    return {objects.TYPE: found[objects.TYPE], **shown} if typed else shown


def page(call: Call, kind: str, found: list[Json], *, typed: bool, context: str) -> Json:
    """A page of objects that pass the request's `$filter`; `kind` is what a list of several kinds is filtered as."""
    check(call)
    if call.query.get("$filter"):
        names = frozenset(name.lower() for name in (*(found[0] if found else _names(kind)), objects.TYPE))
        wanted = GraphFilter(call.query["$filter"], kind, names)
        found = [one for one in found if wanted.accepts(_value_of(one))]
    if order := call.query.get("$orderby"):
        name, _, direction = order.partition(" ")
        found = sorted(found, key=lambda one: str(one.get(name) or "").lower(), reverse=direction.strip().lower() == "desc")
    top = call.query.get("$top", "")
    if top and not (top.isdigit() and 1 <= int(top) <= MOST):
        raise errors.unreadable(f"Invalid page size specified: '{top}'. Must be between 1 and {MOST} inclusive.")
    offset = int(call.query.get("$skiptoken", "0")) if call.query.get("$skiptoken", "0").isdigit() else 0
    size = int(top) if top else PAGE
    answer: Json = {"@odata.context": context}
    if call.query.get("$count", "").lower() == "true":
        answer["@odata.count"] = len(found)
    if offset + size < len(found):
        kept = "&".join(f"{quote(name)}={quote(value)}" for name, value in call.query.items() if name != "$skiptoken")
        answer["@odata.nextLink"] = f"{call.base}{quote(call.path)}?{kept}{'&' if kept else ''}%24skiptoken={offset + size}"
    answer["value"] = [selected(call, kind, one, typed=typed) for one in found[offset : offset + size]]
    return answer


def check(call: Call) -> None:
    """Raises ArmError 400 for a query option that is not read here."""
    for name in call.query:
        if name.startswith("$") and name not in _OPTIONS:
            raise errors.refused(400, "Request_UnsupportedQuery", "Unsupported Query.")


def _names(kind: str) -> Json:
    blank = "00000000-0000-0000-0000-000000000000"
    made: dict[str, Callable[[], Json]] = {
        objects.USER: lambda: objects.user(blank, "", {}),
        objects.GROUP: lambda: objects.group(blank, "", {}),
        objects.APPLICATION: lambda: objects.application(blank, "", "", "", {}),
        objects.SERVICE_PRINCIPAL: lambda: objects.service_principal(blank, "", None, "", {}),
    }
    return made[kind]() if kind in made else {"id": blank, "displayName": None}


def _value_of(found: Json) -> Callable[[str], Any]:
    lower = {name.lower(): value for name, value in found.items()}
    return lower.get
