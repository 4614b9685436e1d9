"""Dates and durations of the template language, in .NET's formats."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from .errors import TemplateError


def parsed_date(value: str) -> datetime:
    """An ISO 8601 time, also in the basic form that `utcNow` gives. Raises TemplateError."""
    for attempt in (datetime.fromisoformat, lambda one: datetime.strptime(one, "%Y%m%dT%H%M%S%z")):
        try:
            found = attempt(value)
            return found if found.tzinfo else found.replace(tzinfo=UTC)
        except ValueError:
            continue
    raise TemplateError(f"The template language function 'dateTimeAdd' expects its first parameter to be a date and time, not '{value}'.")


def duration(value: str) -> timedelta:
    """An ISO 8601 duration such as `P1DT2H`, with a sign. Raises TemplateError."""
    sign = -1 if value.startswith("-") else 1
    body = value.lstrip("+-").upper()
    days, _, times = body[1:].partition("T")
    units = {"Y": 365 * 86_400, "M": 30 * 86_400, "W": 7 * 86_400, "D": 86_400}
    seconds = 0.0
    for part, sizes in ((days, units), (times, {"H": 3600, "M": 60, "S": 1})):
        digits = ""
        for letter in part:
            if letter.isdigit() or letter == ".":
                digits += letter
            elif letter in sizes and digits:
                seconds += float(digits) * sizes[letter]
                digits = ""
            else:
                digits = "?"
                break
        if digits:
            break
    else:
        if body.startswith("P") and len(body) > 1:
            return timedelta(seconds=sign * seconds)
    raise TemplateError(f"The template language function 'dateTimeAdd' expects its second parameter to be a duration, not '{value}'.")


_DATE_PARTS = (
    ("yyyy", "%Y"),
    ("MM", "%m"),
    ("dd", "%d"),
    ("HH", "%H"),
    ("hh", "%I"),
    ("mm", "%M"),
    ("ss", "%S"),
    ("tt", "%p"),
    ("yy", "%y"),
)


def net_date(moment: datetime, shape: str) -> str:
    """A time in one of .NET's formats: its standard letters `d`, `D`, `o`, `u`, or a custom one."""
    standard = {"d": "%m/%d/%Y", "D": "%A, %d %B %Y", "u": "%Y-%m-%d %H:%M:%SZ", "s": "%Y-%m-%dT%H:%M:%S"}
    if shape in standard:
        return moment.strftime(standard[shape])
    if shape in ("o", "O"):
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
    out, at = "", 0
    while at < len(shape):
        for part, code in _DATE_PARTS:
            if shape.startswith(part, at):
                out += moment.strftime(code)
                at += len(part)
                break
        else:
            single = {"M": str(moment.month), "d": str(moment.day), "H": str(moment.hour)}.get(shape[at])
            out += single if single is not None else shape[at]
            at += 1
    return out
