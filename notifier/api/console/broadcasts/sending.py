"""Sending a broadcast: a form, a look at whom it reaches, and the button that sends it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final
from uuid import UUID

from starlette.responses import Response

from notifier.access.keys import is_service_name
from notifier.api.broadcasts.shapes import MOST_SAMPLES, BroadcastRequest
from notifier.api.console.broadcasts.words import SECTION, count_words, whom_words
from notifier.api.console.fields import Control, Field, Flaws, FormPage, filled, flaws_of, given
from notifier.api.console.forms import Form
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import CHANNELS, counted, time_words
from notifier.api.kit.checking import read_strictly
from notifier.broadcasts.announcing import Announcer, Rehearsal
from notifier.broadcasts.broadcast import Broadcast, BroadcastStore
from notifier.idempotency import NotFound
from notifier.notification.model import JsonValue, Lane

NEW: Final = f"{SECTION.path}/new"
_V7: Final = 7
_FIELDS: Final = (
    Field("service", "Service"),
    Field("template", "Template", "Its name; what is published of it now is sent"),
    Field("type", "Channel", control=Control.CHOICE, options=[*CHANNELS.items()]),
    Field(
        "to",
        "To",
        control=Control.RADIOS,
        options=[
            ("topic", "All members of a topic"),
            ("filter", "People of the directory who have some attributes"),
            ("all", "Everybody in the directory"),
        ],
    ),
    Field("topic", "Topic", "Its key, such as news.weekly"),
    Field(
        "filter", "Attributes", "Such as plan: pro, one a line; all of them", control=Control.AREA
    ),
    Field("exclude", "But not to", "User ids, one a line", control=Control.AREA),
    Field(
        "variables",
        "Variables",
        "What the template is filled with, as a JSON object",
        control=Control.AREA,
    ),
    Field("send_at", "Not before", "With its offset: 2027-01-31T18:00:00+01:00; blank: at once"),
    Field("rate_per_s", "At most so many a second", "Blank: as fast as it goes"),
    Field("priority", "Priority", control=Control.CHOICE, options=[(it, it) for it in Lane]),
)
_FORM: Final = FormPage(
    title="New broadcast",
    fields=_FIELDS,
    said=("On the next page is what would come of it: nothing is sent before.",),
    button="Look at whom it reaches",
    action=NEW,
    up=(SECTION.title, SECTION.path),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingPages:
    """Takes new broadcasts."""

    broadcasts: BroadcastStore
    announcer: Announcer
    new_id: Callable[[], UUID]

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        page = partial(ConsolePage, scope=SECTION.scope)
        return (
            page(path=NEW, serve=self.offer),
            page(path=NEW, serve=self.look, method="POST", changes=False),
            page(path=f"{NEW}/send", serve=self.send, method="POST"),
        )

    async def offer(self, visit: Visit) -> Response:
        """Show an empty form."""
        form = filled(service=visit.caller.service, to="topic", priority=Lane.BULK.value)
        return _form(visit).show(visit, form)

    async def look(self, visit: Visit) -> Response:
        """Show what would come of it; nothing is sent."""
        if visit.form.text("do") == "back":
            return _form(visit).show(visit, visit.form)
        made = await self._made(visit)
        if not isinstance(made, Broadcast):
            return _form(visit).show(visit, visit.form, made)
        seen = await self.announcer.rehearse(made)
        return visit.page(
            "broadcast_look.html",
            {
                "facts": _facts(made, seen),
                "samples": _samples(seen),
                "members": counted(seen.members, "member"),
                "hidden": {**_hidden(visit.form), "id": str(self.new_id())},
            },
        )

    async def send(self, visit: Visit) -> Response:
        """Send it, once however often its form is posted."""
        made = await self._made(visit)
        if not isinstance(made, Broadcast):
            return _form(visit).show(visit, visit.form, made)
        id = _id(visit.form.text("id")) or self.new_id()
        known = await self.broadcasts.get(id, service=visit.caller.sees)
        if isinstance(known, NotFound):
            await self.broadcasts.accept(replace(made, id=id))
        return visit.to(f"{SECTION.path}/{id}", done="sent")

    async def _made(self, visit: Visit) -> Broadcast | Flaws:
        """Return the broadcast of a form, or what is wrong with that."""
        form = visit.form
        service = form.text("service") or visit.caller.service
        if not is_service_name(service):
            return {"service": ["expected 1 to 100 printable characters"]}
        body = _body(form)
        if isinstance(body, str):
            return {"variables": [body]}
        wanted = read_strictly(BroadcastRequest, body)
        if isinstance(wanted, list):
            return flaws_of(wanted)
        whose = visit.caller.may_name(service)
        made = await self.announcer.announced(wanted.wish(), service=whose)
        if isinstance(made, Broadcast):
            return made
        found: dict[str, list[str]] = {}
        for flaw in made:
            within = f"{'.'.join(map(str, flaw.path))}: " if flaw.path else ""
            found.setdefault(flaw.field, []).append(f"{within}{flaw.words}")
        return found


def _form(visit: Visit) -> FormPage:
    """Return the form, which asks whose it is where that may be another's."""
    return _FORM if visit.caller.sees is None else replace(_FORM, fields=_FIELDS[1:])


def _body(form: Form) -> dict[str, JsonValue] | str:
    """Return what a form asks for, as the API is asked; what is wrong with its variables."""
    try:
        variables = json.loads(form.text("variables") or "{}")
    except (ValueError, RecursionError):
        variables = None
    if not isinstance(variables, dict):
        return 'expected a JSON object, such as {"issue": 7}'
    rate = form.text("rate_per_s")
    return {
        **given(form, "template", "type", "send_at", "priority"),
        **_whom(form),
        "exclude": [line.strip() for line in form.text("exclude").splitlines() if line.strip()],
        "variables": variables,
        **({"rate_per_s": int(rate) if rate.isdecimal() else rate} if rate else {}),
    }


def _whom(form: Form) -> dict[str, JsonValue]:
    match form.text("to"):
        case "topic":
            return {"topic": form.text("topic")}
        case "filter":
            return {"filter": {"attributes": _attributes(form.text("filter"))}}
        case "all":
            return {"all": True}
    return {}


def _attributes(text: str) -> dict[str, JsonValue]:
    pairs = (line.partition(":") for line in text.splitlines() if line.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _facts(made: Broadcast, seen: Rehearsal) -> Sequence[tuple[str, str]]:
    told = {
        "Template": f"{made.template}, by {CHANNELS[made.channel]}",
        "To": f"{whom_words(made.whom)}: {counted(seen.members, 'member')}",
        "Service": made.service,
        "Begins": time_words(made.send_at) if made.send_at else "at once",
        "At most": f"{made.rate_per_s:,} a second" if made.rate_per_s else "",
        f"Of the first {len(seen.looked):,}": count_words(seen.counts) or "nobody",
    }
    return [(name, words) for name, words in told.items() if words]


def _samples(seen: Rehearsal) -> Sequence[Mapping[str, str]]:
    return [
        {"user_id": each.user_id, "outcome": each.fate.value, "why": each.why or ""}
        for each in seen.looked[:MOST_SAMPLES]
    ]


def _hidden(form: Form) -> Mapping[str, str]:
    return {each.name: text for each in _FIELDS if (text := form.text(each.name))}


def _id(text: str) -> UUID | None:
    try:
        id = UUID(text)
    except ValueError:
        return None
    return id if id.version == _V7 else None
