"""The pages that show templates: all of them, one of them, and one version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from starlette.responses import Response

from notifier.api.console.authoring.places import CHANGES, ONE, SECTION, draft_of, named, path_of
from notifier.api.console.authoring.views import (
    Findings,
    places_of,
    shown_parts,
    shown_version,
    state_of,
)
from notifier.api.console.fields import Control, Field, flaws_of, given
from notifier.api.console.lists import Cell, Link, ListPage, cut
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import CHANNELS, time_words
from notifier.api.kit.problems import there
from notifier.api.kit.querying import checked_query, named_place
from notifier.api.templates.choosing import written_version
from notifier.api.templates.shapes import TemplatesQuery
from notifier.api.templates.workbench import Workbench
from notifier.content.library import Template, TemplateDraft
from notifier.content.template import Content
from notifier.notification.model import Channel

_PER_PAGE = 50
_VERSIONS = 20
_MOST_USERS = 50
_DIGITS = 10
_SERVICE = Field("service", "Service")
_EITHER = ("", "Any")
_LIST = ListPage(
    section=SECTION,
    fields=(
        Field("name", "Name", "Part of it is enough"),
        Field(
            "type",
            "Channel",
            control=Control.CHOICE,
            options=[_EITHER, *((each.value, words) for each, words in CHANNELS.items())],
        ),
        Field(
            "partial",
            "Kind",
            control=Control.CHOICE,
            options=[_EITHER, ("false", "Templates"), ("true", "Partials and layouts")],
        ),
        Field(
            "archived",
            "Archived",
            control=Control.CHOICE,
            options=[_EITHER, ("false", "In use"), ("true", "Archived")],
        ),
    ),
    nothing="No templates yet. Write one here, or push a folder of them: notifier templates push.",
    not_found="No template matches this.",
)
DONE: Mapping[str, str] = {
    "saved": "The draft is saved. Nothing of it is sent before it is published.",
    "published": "It is published: what is accepted from now on says this.",
    "archived": "It is archived: what names it from now on is refused. What was accepted is sent.",
}


@dataclass(frozen=True, slots=True)
class TemplatePages:
    """Shows templates and their versions."""

    bench: Workbench

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        scope = SECTION.scope
        return (
            ConsolePage(path=SECTION.path, scope=scope, serve=self.show_page),
            ConsolePage(path=ONE, scope=scope, serve=self.show),
            ConsolePage(
                path=f"{ONE}/versions/{{number:int}}", scope=scope, serve=self.show_version
            ),
        )

    async def show_page(self, visit: Visit) -> Response:
        """Show a page of those that match."""
        sees_all = visit.caller.sees is None
        writes = CHANGES in visit.caller.scopes
        page = replace(
            _LIST,
            fields=(*_LIST.fields, _SERVICE) if sees_all else _LIST.fields,
            links=[Link(words="New template", path=f"{SECTION.path}/new", is_first=True)]
            if writes
            else [],
        )
        asked = page.asked(visit)
        after = {"after": place} if (place := visit.asked("after")) else {}
        query = checked_query(TemplatesQuery, {**given(asked, *asked.fields), **after}.items())
        if isinstance(query, list):
            return page.show(visit, (), flaws=flaws_of(query))
        found = await self.bench.templates.list(
            service=visit.caller.may_see(query.service),
            limit=_PER_PAGE + 1,
            after=query.after,
            filter=query.filter(),
        )
        shown, last = cut(found, _PER_PAGE)
        rows = [_row(each, names=sees_all) for each in shown]
        return page.show(visit, rows, after=named_place(last) if last else "")

    async def show(self, visit: Visit) -> Response:
        """Show one: its draft and what is found in it, and what was published of it."""
        draft = await draft_of(self.bench.templates, visit)
        it = await self._template(draft)
        checked = await self.bench.checked(draft)
        found = Findings(draft.service, draft.name, draft.content, checked.findings)
        versions = await self.bench.templates.versions(
            draft.service, draft.name, limit=_VERSIONS + 1, before=_before(visit)
        )
        seen, last = cut(versions, _VERSIONS)
        return visit.page(
            "template.html",
            {
                "it": _shown(visit, draft, it),
                "here": path_of(draft.service, draft.name),
                "facts": _facts(draft.content),
                "findings": found.elsewhere(),
                "summary": found.summary,
                "has_errors": found.has_errors,
                "places": [
                    {"words": place.words, "path": _editor(draft, place.query())}
                    for place in places_of(draft.content)
                ],
                "parts": [*shown_parts(draft.content)],
                "versions": [shown_version(each, it.published) for each in seen],
                "older": f"?before={last.number}#versions" if last else "",
                "users": await self._users(draft),
                "done": DONE.get(visit.asked("done"), ""),
            },
        )

    async def show_version(self, visit: Visit) -> Response:
        """Show a version, as it was written."""
        service, name = named(visit)
        found = await written_version(self.bench.templates, service, name, visit.named("number"))
        return visit.page(
            "template_version.html",
            {
                "name": name,
                "here": path_of(service, name),
                "number": found.version.number,
                "at": time_words(found.version.created_at),
                "checksum": found.version.checksum,
                "facts": _facts(found.source, found.version.content.uses),
                "parts": [*shown_parts(found.source)],
                "may_change": CHANGES in visit.caller.scopes,
            },
        )

    async def _template(self, draft: TemplateDraft) -> Template:
        return there(await self.bench.templates.template(draft.service, draft.name))

    async def _users(self, draft: TemplateDraft) -> Sequence[tuple[str, str]]:
        if not draft.content.is_partial:
            return ()
        users = await self.bench.templates.users(
            draft.service, draft.name, limit=_MOST_USERS, after=None
        )
        return [(each.name, path_of(each.service, each.name)) for each in users]


def _shown(visit: Visit, draft: TemplateDraft, it: Template) -> Mapping[str, object]:
    return {
        "name": it.name,
        "service": it.service if visit.caller.sees is None else None,
        "state": state_of(it),
        "version": it.published,
        "is_archived": it.is_archived,
        "is_partial": it.is_partial,
        "changed": time_words(draft.updated_at),
        "may_change": CHANGES in visit.caller.scopes,
    }


def _facts(content: Content, uses: Mapping[str, int] | None = None) -> Sequence[tuple[str, str]]:
    declared = content.schema.get("properties")
    names = sorted(declared) if isinstance(declared, dict) else ()
    told = {
        "Kind": "partial: others take it in" if content.is_partial else "",
        "Category": content.category,
        "Default language": content.default_locale,
        "Layout": content.layout or "",
        "Variables": ", ".join(names),
        "Examples": str(len(content.examples)),
        "Images": ", ".join(sorted(content.images)),
        "Takes in": ", ".join(f"{name} v{number}" for name, number in sorted((uses or {}).items())),
    }
    return [(name, value) for name, value in told.items() if value]


def _editor(draft: TemplateDraft, query: Mapping[str, str]) -> str:
    return path_of(draft.service, draft.name, "/edit", **query)


def _before(visit: Visit) -> int | None:
    text = visit.asked("before")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < _DIGITS else None


def _row(it: Template, *, names: bool) -> Sequence[Cell]:
    sent = f"version {it.published}" if it.published else "never published"
    kind = "partial" if it.is_partial else ""
    return (
        Cell(
            text=it.name,
            path=path_of(it.service, it.name),
            channels=[each for each in Channel if each in it.channels],
            small=" · ".join(filter(None, (it.service if names else "", kind))),
        ),
        Cell(text=state_of(it), state=state_of(it), small=sent),
        Cell(small=f"changed {time_words(it.updated_at)}"),
    )
