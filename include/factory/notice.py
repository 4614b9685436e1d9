"""What people are told, and how: events of an image's life, and the notifiers that carry them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, field_validator

from include.factory.problem import refusal
from include.factory.secret import secret_under_name
from include.factory.value import Pattern, Shorthand, Value

Event = Literal["published", "promoted", "rolled_back", "failed", "paused", "retired", "restored", "leftovers", "behind", "undeclared"]
EVENTS: tuple[str, ...] = get_args(Event)

NotifierPath = Annotated[
    str,
    Pattern(
        r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+",
        "the path of a notifier class",
        "Write it as Python imports it, as in airflow.providers.smtp.notifications.smtp.SmtpNotifier.",
    ),
]


class Notify(Value):
    """One way to tell people, and what they are told that way."""

    events: Annotated[tuple[Event, ...], Shorthand(str, lambda event: [event]), Field(min_length=1)]
    """What to tell: `published` (a build's new version is `latest`), `promoted`, `rolled_back`, `failed`, `paused` (after
    `pause_after_failures`), `retired`, `restored`, `leftovers`, `behind` (a second gallery or the sharing is not as the recipe says,
    and the run could not make it so), `undeclared` (somebody may read the image, and no recipe says so)."""
    notifier: NotifierPath
    """Class of an Airflow notifier, any provider's; it must be importable where Airflow runs."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """The notifier's arguments. Texts are templates: `{{ notice.title }}`, `{{ notice.text }}`, `{{ notice.event }}`,
    `{{ notice.recipe }}`, and all of Airflow's own."""

    @field_validator("arguments")
    @classmethod
    def _no_secrets(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        for name, value in arguments.items():
            kind = secret_under_name(name, value) if isinstance(value, str) else None
            if kind:
                raise refusal(f"{name} holds {kind} in plain text", "Keep it in an Airflow connection, and name that in the arguments.")
        return arguments


class Notice(Value):
    """One thing to tell: goes through XCom as ``notices``, a list of these."""

    event: Event
    recipe: str = ""
    """Name of the recipe or backup that it is about, whose ``notify`` says who is told; or else"""
    definition: str = ""
    """``resource_group/gallery/definition`` that it is about: told to whom the recipes and backups of that definition name."""
    title: str
    """One line."""
    text: str = ""
    """The rest: what happened, why, and what to do."""


def subject(resource_group: str, gallery: str, definition: str) -> str:
    """What a run is about, where that is an image definition; else it is the name of a recipe or a backup. Plans say it under ``about``."""
    return f"{resource_group}/{gallery}/{definition}"


def news(event: Event, resource_group: str, gallery: str, definition: str, title: str, text: str = "") -> dict[str, Any]:
    """A notice about an image definition, as a step returns it among its ``notices``."""
    where = subject(resource_group, gallery, definition)
    return Notice(event=event, definition=where, title=f"{definition}: {title}", text=text).model_dump(mode="json")
