"""The pages that show rules: all of them, one of them, and how its versions differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from starlette.responses import Response

from notifier.api.console.lists import Cell, Link, ListPage, cut
from notifier.api.console.rules.places import ONE, SECTION, draft_of, path_of
from notifier.api.console.rules.sources import source_of
from notifier.api.console.rules.views import found_in, state_of, steps_of, summary_of
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import time_words
from notifier.api.kit.differing import unified
from notifier.api.kit.problems import not_found
from notifier.api.kit.querying import checked_query, named_place
from notifier.api.rules.desk import RuleDesk
from notifier.api.rules.shapes import RulesQuery
from notifier.events.rules import RuleDraft, WrittenRule
from notifier.notification.model import JsonValue

_DIGITS = 10
_PER_PAGE = 50
_VERSIONS = 20
_LIST = ListPage(
    section=SECTION,
    links=(Link(words="New rule", path=f"{SECTION.path}/new", is_first=True),),
    nothing="No rules yet. A rule says what is sent to whom when something happens.",
)
DONE: Mapping[str, str] = {
    "saved": "The draft is saved. Nothing of it is carried out before it is published.",
    "published": "It is in force: events that come from now on go by it.",
    "removed": "It is out of force. What it has begun is finished.",
}


@dataclass(frozen=True, slots=True)
class RulePages:
    """Shows rules and their versions."""

    desk: RuleDesk

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        scope = SECTION.scope
        return (
            ConsolePage(path=SECTION.path, scope=scope, serve=self.show_page),
            ConsolePage(path=ONE, scope=scope, serve=self.show),
        )

    async def show_page(self, visit: Visit) -> Response:
        """Show a page of rules."""
        after = {"after": place} if (place := visit.asked("after")) else {}
        query = checked_query(RulesQuery, after.items())
        if isinstance(query, list):
            raise not_found()
        sees = visit.caller.sees
        found = await self.desk.rules.list(service=sees, limit=_PER_PAGE + 1, after=query.after)
        shown, last = cut(found, _PER_PAGE)
        page = replace(_LIST, done=DONE)
        rows = [_row(each, names=sees is None) for each in shown]
        return page.show(visit, rows, after=named_place(last) if last else "")

    async def show(self, visit: Visit) -> Response:
        """Show one: what it does, what keeps its draft from being in force, and its versions."""
        draft = await draft_of(self.desk.rules, visit)
        source = source_of(draft.document)
        findings = found_in(source, await self.desk.flaws(draft.document, draft.service))
        versions = await self.desk.rules.versions(
            draft.service, draft.name, limit=_VERSIONS + 1, before=_before(visit)
        )
        seen, last = cut(versions, _VERSIONS)
        return visit.page(
            "rule.html",
            {
                "it": _shown(draft, names=visit.caller.sees is None),
                "here": path_of(draft.service, draft.name),
                "source": source,
                "steps": [*steps_of(draft.document)],
                "findings": findings,
                "summary": summary_of(findings),
                "versions": _versions(versions, draft)[: len(seen)],
                "older": f"?before={last.number}#versions" if last else "",
                "done": DONE.get(visit.asked("done"), ""),
            },
        )


def _shown(it: RuleDraft, *, names: bool) -> Mapping[str, object]:
    return {
        "name": it.name,
        "service": it.service if names else None,
        "state": state_of(it),
        "version": it.published,
        "on": _on(it.document),
        "changed": time_words(it.updated_at),
    }


def _versions(versions: Sequence[WrittenRule], draft: RuleDraft) -> Sequence[Mapping[str, object]]:
    """Return versions, the newest first, each with what changed since the one before it."""
    before = {later.number: earlier for later, earlier in pairwise(versions)}
    return [
        {
            "number": each.number,
            "at": time_words(each.created_at),
            "is_in_force": each.number == draft.published,
            "source": source_of(each.document),
            "changes": unified(source_of(before[each.number].document), source_of(each.document))
            if each.number in before
            else [],
        }
        for each in versions
    ]


def _row(it: RuleDraft, *, names: bool) -> Sequence[Cell]:
    sent = f"version {it.published}" if it.published else "never published"
    return (
        Cell(
            text=it.name,
            path=path_of(it.service, it.name),
            small=f"{it.service} · on {_on(it.document)}" if names else f"on {_on(it.document)}",
        ),
        Cell(text="in force" if it.published else "draft", state=state_of(it), small=sent),
        Cell(text="; ".join(steps_of(it.document)), small=f"changed {time_words(it.updated_at)}"),
    )


def _on(document: JsonValue) -> str:
    return f"{document.get('on', '')}" if isinstance(document, dict) else ""


def _before(visit: Visit) -> int | None:
    text = visit.asked("before")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < _DIGITS else None
