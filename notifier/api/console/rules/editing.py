"""The editor of a rule: its source, what is found in it, and what it would make of an event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from notifier.access.keys import is_service_name
from notifier.api.console.fields import Field, FormPage, filled, flaws_of
from notifier.api.console.rules.listing import DONE
from notifier.api.console.rules.places import ONE, SECTION, named, path_of
from notifier.api.console.rules.sources import sample_event, source_of, written_event
from notifier.api.console.rules.views import broken, found_in, shown_matches, summary_of
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.kit.body import parse_json
from notifier.api.kit.differing import unified
from notifier.api.kit.problems import InvalidField, ProblemError
from notifier.api.rules.desk import RuleDesk
from notifier.api.rules.naming import WORDS
from notifier.api.rules.shapes import MAX_VALUES
from notifier.events.event import EventFilter, EventStore
from notifier.events.rule import Rule, is_rule_name
from notifier.events.rules import RuleDraft
from notifier.idempotency import LostRace, NotFound
from notifier.notification.model import JsonValue

_NEW = f"{SECTION.path}/new"
_BEGUN: Mapping[str, JsonValue] = {
    "on": "order.shipped",
    "to": "data.user_id",
    "steps": [{"send": ["email"], "template": "order.shipped"}],
}
_ADDING = FormPage(
    title="New rule",
    fields=(Field("name", "Name", "Such as order.shipped"),),
    said=("It begins as a draft, which nothing comes of before it is published.",),
    button="Write it",
    action=_NEW,
    up=(SECTION.title, SECTION.path),
)
_SERVICE = Field("service", "Service")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filled:
    """The editor, as it is filled in."""

    service: str
    name: str
    number: int
    """Of the version that it would become."""
    source: str
    event: str
    etag: str
    sees_content: bool
    theirs: str | None = None
    """What somebody else wrote meanwhile."""


@dataclass(frozen=True, slots=True)
class RuleEditor:
    """Lets a team write rules, and try them before anything comes of them."""

    desk: RuleDesk
    events: EventStore

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        edit, look, scope = f"{ONE}/edit", f"{ONE}/look", SECTION.scope
        return (
            ConsolePage(path=_NEW, scope=scope, serve=self.offer_new),
            ConsolePage(path=_NEW, scope=scope, serve=self.begin, method="POST", changes=False),
            ConsolePage(path=edit, scope=scope, serve=self.offer),
            ConsolePage(path=edit, scope=scope, serve=self.save, method="POST"),
            ConsolePage(path=look, scope=scope, serve=self.look, method="POST", changes=False),
        )

    async def offer_new(self, visit: Visit) -> Response:
        """Ask how a new rule is called."""
        return _adding(visit).show(visit, filled(service=visit.caller.service))

    async def begin(self, visit: Visit) -> Response:
        """Lead to the editor of a rule that there is not yet."""
        form = visit.form
        service, name = form.text("service") or visit.caller.service, form.text("name")
        wrong = [] if is_rule_name(name) else [InvalidField("/name", WORDS)]
        if not is_service_name(service):
            wrong.append(InvalidField("/service", "expected 1 to 100 printable characters"))
        if not wrong and await self._draft(visit.caller.may_name(service), name):
            wrong.append(InvalidField("/name", "there is a rule of this name"))
        if wrong:
            return _adding(visit).show(visit, form, flaws_of(wrong))
        return visit.to(path_of(service, name, "/edit"))

    async def offer(self, visit: Visit) -> Response:
        """Show the editor; of a rule that there is not yet, with an example."""
        service, name = named(visit)
        draft = await self._draft(service, name)
        document = draft.document if draft else {**_BEGUN}
        return await self._page(
            visit,
            _Filled(
                service=service,
                name=name,
                number=draft.next_number if draft else 1,
                source=source_of(document),
                event=await self._event(visit, service, document),
                etag=draft.etag if draft else "",
                sees_content=visit.caller.sees_content,
            ),
        )

    async def save(self, visit: Visit) -> Response:
        """Store a draft that is a rule, if nobody else changed it since it was shown."""
        it = await self._filled(visit)
        document = _parsed(it.source)
        is_rule = not isinstance(document, str) and isinstance(self.desk.read(document), Rule)
        if not is_rule or visit.form.text("do") == "preview":
            is_wrong = visit.form.text("do") != "preview"
            return await self._page(visit, it, is_wrong=is_wrong)
        saved = await self.desk.rules.save(
            service=it.service, name=it.name, document=document, if_match=it.etag
        )
        if not isinstance(saved, LostRace):
            return visit.to(path_of(it.service, it.name, "/edit"), done="saved")
        theirs = await self._draft(it.service, it.name)
        outrun = source_of(theirs.document) if theirs else ""
        return await self._page(
            visit, replace(it, etag=saved.etag or "", theirs=outrun), is_wrong=True
        )

    async def look(self, visit: Visit) -> Response:
        """Show what is found in what is being written, and what it would do."""
        values = {**await self._looked_at(await self._filled(visit)), "is_look": True}
        return visit.page("rule_look.html", values)

    async def _draft(self, service: str, name: str) -> RuleDraft | None:
        found = await self.desk.rules.draft(service, name)
        return None if isinstance(found, NotFound) else found

    async def _filled(self, visit: Visit) -> _Filled:
        service, name = named(visit)
        draft, form = await self._draft(service, name), visit.form
        return _Filled(
            service=service,
            name=name,
            number=draft.next_number if draft else 1,
            source=form.text("source"),
            event=form.text("event"),
            etag=form.text("etag"),
            sees_content=visit.caller.sees_content,
        )

    async def _page(self, visit: Visit, it: _Filled, *, is_wrong: bool = False) -> Response:
        looked = await self._looked_at(it)
        return visit.page(
            "rule_edit.html",
            {
                "name": it.name,
                "here": path_of(it.service, it.name),
                "source": it.source,
                "event": it.event,
                "etag": it.etag,
                "outrun": it.theirs is not None,
                "lines": unified(it.theirs, it.source) if it.theirs is not None else (),
                "is_refused": is_wrong and it.theirs is None,
                "done": DONE.get(visit.asked("done"), ""),
                **looked,
                "is_look": False,
            },
            status=HTTPStatus.UNPROCESSABLE_ENTITY if is_wrong else HTTPStatus.OK,
        )

    async def _looked_at(self, it: _Filled) -> Mapping[str, object]:
        document = _parsed(it.source)
        if isinstance(document, str):
            findings: Sequence[Mapping[str, object]] = broken(document)
            return {**_of(findings), "matches": (), "unseen": ["It is no JSON yet."]}
        findings = found_in(it.source, await self.desk.flaws(document, it.service))
        made = await self._made(it, document)
        if isinstance(made, str):
            return {**_of(findings), "matches": (), "unseen": [made]}
        return {**_of(findings), "matches": made, "unseen": ()}

    async def _made(self, it: _Filled, document: JsonValue) -> Sequence[Mapping[str, object]] | str:
        """Return what would come of the event; why that cannot be said otherwise."""
        rule, event = self.desk.read(document), _parsed(it.event or "{}")
        if not isinstance(rule, Rule):
            return "It is no rule yet."
        if not isinstance(event, dict):
            return f"The event: {event if isinstance(event, str) else 'expected an object.'}"
        read = self.desk.event(it.service, rule, event)
        if isinstance(read, list):
            return "; ".join(f"The event: {each.where} {each.detail}" for each in read)
        made = await self.desk.rehearse(it.name, it.number, rule, read)
        return shown_matches(made, sees_content=it.sees_content)

    async def _event(self, visit: Visit, service: str, document: JsonValue) -> str:
        """Return an event to begin with: the last of its type, for those who may see events."""
        caller = visit.caller
        on = document.get("on") if isinstance(document, dict) else None
        if not (caller.sees_content and "events" in caller.scopes and isinstance(on, str)):
            return sample_event(document)
        asked = EventFilter(service=service, type=on)
        found = await self.events.list(asked, limit=1, after=None)
        return written_event(found[0].event) if found else sample_event(document)


def _of(findings: Sequence[Mapping[str, object]]) -> Mapping[str, object]:
    return {
        "findings": findings,
        "summary": summary_of(findings),
        "has_errors": bool(findings),
    }


def _adding(visit: Visit) -> FormPage:
    if visit.caller.sees is not None:
        return _ADDING
    return replace(_ADDING, fields=(*_ADDING.fields, _SERVICE))


def _parsed(text: str) -> Any:
    """Return what a JSON text says, a text: why it is none."""
    try:
        value = parse_json(text.encode(), max_values=MAX_VALUES)
    except ProblemError as problem:
        return problem.detail
    return [value] if isinstance(value, str) else value
