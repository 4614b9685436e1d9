"""What ARM says of a template that it does not take. Texts: recorded validate answers, public bug threads, "Troubleshoot common Azure
deployment errors" (learn.microsoft.com)."""

from __future__ import annotations

from ..wire import ArmError, Json

Position = tuple[int, int]  # line and column in the request, from 1; (0, 0) where unknown


class TemplateError(Exception):
    """An expression, parameter or resource that the template engine rejects; the text is the engine's own."""

    def __init__(self, message: str, position: Position = (0, 0)) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


def violation(position: Position) -> list[Json]:
    """The `additionalInfo` of an InvalidTemplate error."""
    return [{"type": "TemplateViolation", "info": {"lineNumber": position[0], "linePosition": position[1], "path": ""}}]


def invalid_template(message: str, position: Position = (0, 0)) -> ArmError:
    """400 InvalidTemplate."""
    return ArmError(400, "InvalidTemplate", message, gateway=True, additional=violation(position))


def validation_failed(text: str, position: Position = (0, 0)) -> ArmError:
    """400 InvalidTemplate for a template (or its parameters) that does not validate."""
    return invalid_template(f"Deployment template validation failed: '{text}'.", position)


def expression_failed(resource_id: str, error: TemplateError) -> ArmError:
    """400 InvalidTemplate for a resource whose expressions do not evaluate."""
    line, column = error.position
    return invalid_template(
        f"Unable to process template language expressions for resource '{resource_id}' at line '{line}' and column '{column}'. "
        f"'{error.message}'",
        error.position,
    )
