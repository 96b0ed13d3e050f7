"""The editor: the sources of a language and a channel, what is found in them, and how they look."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus

from starlette.responses import Response

from notifier.api.console.authoring.listing import DONE
from notifier.api.console.authoring.places import CHANGES, ONE, draft_of, path_of
from notifier.api.console.authoring.views import HINTS, PARTS, Findings, Place, places_of
from notifier.api.console.authoring.writing import (
    first_place,
    place_of,
    source_of,
    variables_of,
    with_parts,
    written,
)
from notifier.api.console.fields import Flaws
from notifier.api.console.forms import Form
from notifier.api.console.layout import inline_styles
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import CHANNELS, counted
from notifier.api.templates.comparing import differences
from notifier.api.templates.workbench import Workbench
from notifier.content.library import TemplateDraft
from notifier.content.shared import as_given
from notifier.content.template import PART_NAMES, Content, Rendered, VariableFault
from notifier.idempotency import LostRace, NotFound
from notifier.notification.model import Channel
from notifier.notification.sms import sms_size

_MAX_BYTES = 4_000_000
_MOST_USERS = 50
_PREFERS = re.compile(r"prefers-color-scheme\s*:\s*(dark|light)")
_QUIET = '<meta http-equiv="x-dns-prefetch-control" content="off">'


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filled:
    """The editor, as it is filled in: `content` is the draft with what is written in it."""

    draft: TemplateDraft
    place: Place
    content: Content
    form: Form = field(default_factory=Form)
    flaws: Flaws = field(default_factory=dict)
    etag: str
    users: Sequence[str] = ()
    """Of a partial: the templates that take it in."""
    theirs: Content | None = None
    """What somebody else wrote meanwhile."""
    is_begun_with: str = ""
    """The language that it begins with, of a place that says nothing yet."""


@dataclass(frozen=True, slots=True)
class EditorPages:
    """Lets who owns the words write drafts."""

    bench: Workbench

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        edit, look = f"{ONE}/edit", f"{ONE}/look"
        return (
            ConsolePage(path=edit, scope=CHANGES, serve=self.offer),
            ConsolePage(
                path=edit, scope=CHANGES, serve=self.save, method="POST", max_bytes=_MAX_BYTES
            ),
            ConsolePage(
                path=look,
                scope=CHANGES,
                serve=self.look,
                method="POST",
                changes=False,
                max_bytes=_MAX_BYTES,
            ),
        )

    async def offer(self, visit: Visit) -> Response:
        """Show the editor of a place; one that says nothing begins with the default language."""
        draft = await draft_of(self.bench.templates, visit)
        content = draft.content
        place, users = place_of(visit, first_place(content)), await self._users(draft)
        if place.parts_of(content):
            filled = _Filled(
                draft=draft, place=place, content=content, etag=draft.etag, users=users
            )
            return await self._page(visit, filled)
        start = replace(place, locale=content.default_locale)
        begun = with_parts(content, place, start.parts_of(content))
        filled = _Filled(
            draft=draft,
            place=place,
            content=begun,
            etag=draft.etag,
            users=users,
            is_begun_with=start.locale if start.parts_of(content) else "",
        )
        return await self._page(visit, filled)

    async def save(self, visit: Visit) -> Response:
        """Store what is written, if nobody else changed the draft since it was shown."""
        filled = await self._filled(visit)
        draft, form = filled.draft, visit.form
        if filled.flaws or form.text("do") == "preview":
            return await self._page(visit, filled)
        saved = await self.bench.templates.save(
            service=draft.service, name=draft.name, content=filled.content, if_match=filled.etag
        )
        if isinstance(saved, LostRace):
            return await self._outrun(visit, filled)
        place = path_of(draft.service, draft.name, "/edit", **filled.place.query(), done="saved")
        return visit.to(place)

    async def look(self, visit: Visit) -> Response:
        """Show what is found in what is being written, and how it looks."""
        filled = await self._filled(visit)
        values = {**await self._looked_at(filled), "is_look": True}
        return visit.page("template_look.html", values, headers=inline_styles())

    async def _filled(self, visit: Visit) -> _Filled:
        draft = await draft_of(self.bench.templates, visit)
        place = place_of(visit, first_place(draft.content))
        made = written(visit.form, place, draft.content)
        return _Filled(
            draft=draft,
            place=place,
            content=made.content,
            form=visit.form,
            flaws=made.flaws,
            etag=visit.form.text("etag"),
            users=await self._users(draft),
        )

    async def _outrun(self, visit: Visit, filled: _Filled) -> Response:
        """Show what somebody else wrote meanwhile; to save again puts this over it."""
        draft = await draft_of(self.bench.templates, visit)
        content = written(visit.form, filled.place, draft.content).content
        return await self._page(
            visit,
            replace(filled, draft=draft, content=content, etag=draft.etag, theirs=draft.content),
        )

    async def _page(self, visit: Visit, filled: _Filled) -> Response:
        draft, place = filled.draft, filled.place
        is_wrong = bool(filled.flaws) or filled.theirs is not None
        return visit.page(
            "template_edit.html",
            {
                "name": draft.name,
                "here": path_of(draft.service, draft.name),
                "action": path_of(draft.service, draft.name, "/edit", **place.query()),
                "look": path_of(draft.service, draft.name, "/look", **place.query()),
                "labels": PARTS,
                "channels": [(each.value, words) for each, words in CHANNELS.items()],
                "done": DONE.get(visit.asked("done"), ""),
                **_shown(filled),
                **await self._looked_at(filled),
                "is_look": False,
            },
            status=HTTPStatus.UNPROCESSABLE_ENTITY if is_wrong else HTTPStatus.OK,
            headers=inline_styles(),
        )

    async def _looked_at(self, filled: _Filled) -> Mapping[str, object]:
        draft = replace(filled.draft, content=filled.content)
        checked = await self.bench.checked(draft)
        found = Findings(draft.service, draft.name, filled.content, checked.findings)
        return {
            "parts": _parts(filled, found),
            "summary": found.summary,
            "has_errors": found.has_errors,
            "findings": found.elsewhere(filled.place),
            "seen": await self._seen(filled),
        }

    async def _seen(self, filled: _Filled) -> Mapping[str, object]:
        """Return how it looks, or why it cannot be seen."""
        draft, place, written = filled.draft, filled.place, filled.content
        content = await self._whole(filled)
        variables = variables_of(filled.form, content)
        if isinstance(variables, str):
            return {"unseen": [variables]}
        if not place.parts_of(written):
            return {"unseen": ["Nothing is written yet."]}
        given = as_given(draft.name, written, draft.next_number)
        seen = await self.bench.filled(
            draft.service,
            content,
            place.channel,
            locale=place.locale,
            variables=variables,
            shared=await self.bench.sharing.of(draft.service, content, given=given),
        )
        if isinstance(seen, Rendered):
            return _rendered(seen, place.channel, is_dark=bool(filled.form.text("dark")))
        return {"unseen": [_why(each) for each in seen]}

    async def _whole(self, filled: _Filled) -> Content:
        """Return what is looked at: of a partial the template that it is to be seen within."""
        name = _within(filled)
        if not name:
            return filled.content
        user = await self.bench.templates.draft(filled.draft.service, name)
        return filled.content if isinstance(user, NotFound) else user.content

    async def _users(self, draft: TemplateDraft) -> Sequence[str]:
        if not draft.content.is_partial:
            return ()
        found = await self.bench.templates.users(
            draft.service, draft.name, limit=_MOST_USERS, after=None
        )
        return [each.name for each in found]


def _within(filled: _Filled) -> str:
    """Return the template in which a partial is looked at; empty: by itself."""
    asked = filled.form.text("within")
    if not filled.form.fields:
        return filled.users[0] if filled.users else ""
    return asked if asked in filled.users else ""


def _shown(filled: _Filled) -> Mapping[str, object]:
    """Return what is filled in, and what came of it."""
    place, form = filled.place, filled.form
    return {
        "place": {**place.query(), "words": place.words},
        "places": _places(filled),
        "etag": filled.etag,
        "flaws": filled.flaws,
        "examples": _examples(filled.content),
        "example": form.text("example") or "0",
        "variables": form.text("variables"),
        "users": [("", "By itself"), *((name, name) for name in filled.users)],
        "within": _within(filled),
        "is_phone": form.text("width") == "phone",
        "is_dark": bool(form.text("dark")),
        "begun_with": filled.is_begun_with,
        "outrun": filled.theirs is not None,
        "differences": _meanwhile(filled),
    }


def _parts(filled: _Filled, found: Findings) -> Sequence[Mapping[str, object]]:
    place = filled.place
    said = place.parts_of(filled.content)
    return [
        {
            "name": name,
            "label": PARTS[name],
            "hint": HINTS.get(name, ""),
            "is_long": name in ("text", "html", "mjml"),
            "source": source_of(filled.form, name) if filled.form.fields else said.get(name, ""),
            "flaws": filled.flaws.get(name, ()),
            "findings": found.at(place, name),
        }
        for name in PART_NAMES[place.channel]
    ]


def _places(filled: _Filled) -> Sequence[Mapping[str, object]]:
    draft, here = filled.draft, filled.place
    known = places_of(draft.content)
    return [
        {
            "words": each.words,
            "path": path_of(draft.service, draft.name, "/edit", **each.query()),
            "is_here": each == here,
        }
        for each in (known if here in known else [*known, here])
    ]


def _examples(content: Content) -> Sequence[tuple[str, str]]:
    return [(str(nth), f"Example {nth + 1}") for nth in range(len(content.examples))]


def _meanwhile(filled: _Filled) -> Sequence[tuple[str, Sequence[str]]]:
    """Return how what somebody else wrote differs from what would be saved."""
    if filled.theirs is None:
        return ()
    return [*differences(filled.theirs, filled.content)]


def _rendered(seen: Rendered, channel: Channel, *, is_dark: bool) -> Mapping[str, object]:
    size = sms_size(seen.text) if channel is Channel.SMS else None
    return {
        "unseen": (),
        "subject": seen.subject,
        "text": seen.text,
        "html": None if seen.html is None else _QUIET + _lit(seen.html, is_dark=is_dark),
        "action_url": seen.action_url,
        "size": f"{counted(size.segments, 'message')} in {size.encoding}" if size else "",
    }


def _lit(html: str, *, is_dark: bool) -> str:
    """Return a mail as it looks in light or in the dark, whatever whoever looks at it prefers."""
    wanted = "dark" if is_dark else "light"
    return _PREFERS.sub(
        lambda found: "min-width: 0" if found[1] == wanted else "max-width: 0", html
    )


def _why(each: object) -> str:
    if isinstance(each, VariableFault):
        return f"{'.'.join(map(str, each.path)) or 'Variables'}: {each.words}"
    return getattr(each, "detail", "")
