"""What pydantic found wrong, in words that repeat nothing of what was set: it may be a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from firellava.errors import ConfigurationError

if TYPE_CHECKING:
    from pydantic import ModelWrapValidatorHandler

__all__ = ["CheckedModel", "OwnErrors", "explain"]


def explain(error: ValidationError) -> str:
    """What pydantic found wrong, in one line that names settings but echoes no value."""
    problems = []
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        name = ".".join(str(step) for step in detail["loc"])
        if detail["type"] == "extra_forbidden":
            problems.append(f"there is no setting {name!r}")
        else:
            problems.append(f"{name}: {detail['msg']}" if name else detail["msg"])
    return "; ".join(problems)


class OwnErrors(BaseModel):
    """What users construct: what is wrong with it is raised as `ConfigurationError`."""

    @model_validator(mode="wrap")
    @classmethod
    def _own_errors(cls, settings: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:  # noqa: ANN401
        problem = ""
        try:
            return handler(settings)
        except ValidationError as error:
            problem = explain(error)
        # Raised here, not above: pydantic's report holds what was set, which may be a key.
        raise ConfigurationError(f"{cls.__name__}: {problem}.")


class CheckedModel(OwnErrors):
    """A frozen value that users construct."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
