"""Quiet hours, as commands take them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, TypeAlias

import typer

from notifier.errors import SettingsError

NONE: Final = "none"

Hours: TypeAlias = Annotated[str, typer.Argument(help="Such as 22:00-07:00; or none.")]
OnDays: TypeAlias = Annotated[
    list[str] | None, typer.Option(help="A day on which they begin, such as fri; repeatable.")
]


def hours_of(given: str, weekdays: Sequence[str] | None) -> Mapping[str, Any] | None:
    """Return quiet hours as the API takes them; None for none.

    Raises:
        SettingsError: they are not two times.
    """
    if given == NONE:
        return None
    start, dash, end = given.partition("-")
    if not dash:
        raise SettingsError("expected two times, such as 22:00-07:00, or none")
    return {"from": start, "to": end, **({"weekdays": list(weekdays)} if weekdays else {})}
