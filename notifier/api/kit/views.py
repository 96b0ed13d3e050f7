"""What every answer is made of."""

from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from notifier.notification.model import JsonValue


class View(BaseModel):
    """An answer, or a part of one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def json_value(self) -> dict[str, JsonValue]:
        """Return it as JSON, times as RFC 3339."""
        value: dict[str, JsonValue] = self.model_dump(mode="json", by_alias=True)
        return value


Item = TypeVar("Item", bound=View)


class Page(View, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next: Annotated[str | None, Field(description="Path of the next page; null on the last.")]

    def json_value(self) -> dict[str, JsonValue]:
        """Return it as JSON, each item as it shows itself."""
        return {"items": [each.json_value() for each in self.items], "next": self.next}


class ProblemView(BaseModel):
    """What went wrong (RFC 9457)."""

    type: Annotated[str, Field(description="A URI for this kind of problem; never changes.")]
    title: str
    status: int
    code: Annotated[str, Field(description="The end of `type`.")]
    detail: str
    instance: Annotated[str, Field(description="Names this occurrence, with the X-Request-ID.")]
    errors: Annotated[
        list["InvalidFieldView"] | None, Field(description="Everything that is invalid.")
    ] = None


class InvalidFieldView(BaseModel):
    """One invalid field of the body, or one invalid parameter or header."""

    pointer: Annotated[str | None, Field(description="JSON pointer into the body.")] = None
    parameter: Annotated[str | None, Field(description="Name of a parameter or header.")] = None
    detail: str
