"""Gathering findings."""

from dataclasses import dataclass, replace

from notifier.content.template import Finding, Severity
from notifier.notification.model import Channel
from notifier.rendering.faults import PartError
from notifier.rendering.parts import LocatedError

MOST = 200
"""Findings told at once; who has more has others to mend first."""


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
        self.error(fault.code, fault.words, place, line=fault.line, column=fault.column)

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
    ) -> None:
        found = Finding(
            severity=severity,
            code=code,
            detail=detail,
            locale=place.locale,
            channel=place.channel,
            part=place.part,
            line=line,
            column=column,
        )
        self._found.setdefault(found)
