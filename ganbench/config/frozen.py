"""What every settings model is made of: the strict base class and fields of more than one model."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

# One line of a table; figures and pages have no room for more.
Title = Annotated[str, Field(max_length=1_000, pattern=r"^[^\n\t]*$")]


class Frozen(BaseModel):
    """No unknown keys, no silent conversions, no changes after loading."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


def list_field(description: str, **extra: Any) -> Any:
    """Returns a field for a YAML list, which is kept as a tuple so that settings cannot change."""
    return Field(description=description, strict=False, **extra)
