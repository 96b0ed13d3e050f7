"""Gathering findings."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from notifier.content.template import Finding, Severity
from notifier.notification.model import Channel
from notifier.rendering.faults import PartError
from notifier.rendering.parts import LocatedError

MOST = 200
"""Findings told at once; who has more has others to mend first."""


Line: TypeAlias = tuple[str | None, int | None, int | None]
"""A partial, a line in it, and a column in that."""
Origin: TypeAlias = Callable[[int | None, int | None], Line]
"""Tells of a line and a column where what stands there comes from."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a content; all None for the whole of it."""

    locale: str | None = None
    channel: Channel | None = None
    part: str | None = None

    def of(self, part: str) -> "Place":
        """Return the place of one of the channel's parts."""
        return replace(self, part=part)


class Findings:
    """What was found so far, each thing once."""

    def __init__(self) -> None:
        self._found: dict[Finding, None] = {}
        self._origins: dict[Place, Origin] = {}

    def is_made_of(self, place: Place, origin: Origin) -> None:
        """Tell the lines of a part's text as those of what it was put together of."""
        self._origins[place] = origin

    def error(
        self,
        code: str,
        detail: str,
        place: Place = Place(),
        *,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        """Note what prevents publishing."""
        self._note(Severity.ERROR, code, detail, place, line, column)

    def warning(
        self,
        code: str,
        detail: str,
        place: Place = Place(),
        *,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        """Note what may be wrong."""
        self._note(Severity.WARNING, code, detail, place, line, column)

    def fault(self, fault: PartError, place: Place) -> None:
        """Note what the engine says."""
        severity, line, column = Severity.ERROR, fault.line, fault.column
        self._note(severity, fault.code, fault.words, place, line, column, partial=fault.partial)

    def located(self, error: LocatedError) -> None:
        """Note what came of filling a part."""
        self.fault(error.fault, Place(error.locale, error.channel, error.part))

    @property
    def has_errors(self) -> bool:
        """Whether anything prevents publishing."""
        return any(each.severity is Severity.ERROR for each in self._found)

    def told(self) -> list[Finding]:
        """Return them, the errors first."""
        return sorted(self._found, key=lambda each: each.severity)[:MOST]

    def _note(
        self,
        severity: Severity,
        code: str,
        detail: str,
        place: Place,
        line: int | None,
        column: int | None,
        *,
        partial: str | None = None,
    ) -> None:
        if place in self._origins and partial is None:
            partial, line, column = self._origins[place](line, column)
        found = Finding(
            severity=severity,
            code=code,
            detail=detail,
            locale=place.locale,
            channel=place.channel,
            part=place.part,
            partial=partial,
            line=line,
            column=column,
        )
        self._found.setdefault(found)
