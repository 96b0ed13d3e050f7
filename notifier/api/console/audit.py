"""The page of who changed what."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.responses import Response

from notifier.api.console.layout import Section
from notifier.api.console.lists import cut
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import time_words
from notifier.audit import AuditEntry, AuditFilter, AuditLog, AuditOutcome, Via

SECTION = Section(title="Audit", path="/audit", scope="admin")
_PER_PAGE = 50
_ASKED = ("actor", "action", "service")
_DOORS: Mapping[Via, str] = {
    Via.API: "API",
    Via.CONSOLE: "console",
    Via.COMMAND: "command line",
}


@dataclass(frozen=True, slots=True)
class AuditPages:
    """Shows who changed what."""

    log: AuditLog

    def pages(self) -> tuple[ConsolePage]:
        """Declare it."""
        return (ConsolePage(path=SECTION.path, scope=SECTION.scope, serve=self.show),)

    async def show(self, visit: Visit) -> Response:
        """Show a page of it."""
        asked = {name: visit.asked(name) for name in _ASKED}
        given = {name: value for name, value in asked.items() if value}
        found = await self.log.list(
            AuditFilter(
                actor=asked["actor"] or None,
                action=asked["action"] or None,
                service=asked["service"] or None,
            ),
            limit=_PER_PAGE + 1,
            after=visit.after(),
        )
        shown, last = cut(found, _PER_PAGE)
        older = {**given, "after": str(last.act.id)} if last else {}
        return visit.page(
            "audit.html",
            {
                "asked": asked,
                "is_filtered": bool(given),
                "items": [_viewed(each) for each in shown],
                "next": f"?{urlencode(older)}" if older else "",
            },
        )


def _viewed(entry: AuditEntry) -> Mapping[str, object]:
    act = entry.act
    return {
        "at": time_words(entry.at),
        "action": act.action,
        "target": act.target,
        "actor": act.actor,
        "service": act.service,
        "door": _DOORS[act.via],
        "source": act.source,
        "outcome": "" if entry.outcome is AuditOutcome.DONE else entry.outcome.value,
        "request_id": act.request_id,
    }
