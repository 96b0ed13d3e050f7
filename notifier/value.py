"""Values with many fields: such as nobody changes, and cheap to make by the thousand."""

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

Made = TypeVar("Made")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def value(cls: type[Made]) -> type[Made]:
    """Make a dataclass of keywords, frozen for the type checker alone.

    One that freezes itself takes three times as long to make.
    """
    return dataclass(slots=True, kw_only=True, unsafe_hash=True)(cls)
