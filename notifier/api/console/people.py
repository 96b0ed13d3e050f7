"""The pages of people: looking somebody up, what is known of them, and erasing them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

import orjson
from starlette.responses import Response

from notifier.api.console.fields import Control, Field, FormPage, flaws_of, given
from notifier.api.console.layout import CONSOLE, Section
from notifier.api.console.lists import Cell, Link, ListPage
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import CHANNELS, time_words
from notifier.api.erasures import EraseRequest
from notifier.api.kit.checking import read_strictly
from notifier.api.kit.problems import InvalidField, not_found, there
from notifier.api.kit.querying import checked_query
from notifier.api.recipients.shapes import RecipientsQuery, written_place
from notifier.audience.choice_change import ChoiceHistory, NotedChange, Source
from notifier.audience.choices import ANY
from notifier.audience.erasure import Erasure, ErasureRequest, Erasures
from notifier.audience.person import Address, Person, PersonStore
from notifier.audience.quiet_hours import QuietHours
from notifier.audience.user_id import user_id_fault
from notifier.notification.model import Channel

SECTION = Section(title="People", path="/people", scope="recipients")
PEOPLE = f"{CONSOLE}{SECTION.path}"
"""Paths below it name people."""
ONE = f"{SECTION.path}/{{user_id}}"
ADD_PERSON = "/add-person"
_ERASE = f"{ONE}/erase"
_ERASURE = "/erasures/{id:uuid}"
_PER_PAGE = 50
_MOST_CHANGES = 20
_SERVICE = Field("service", "Service")
_LIST = ListPage(
    section=SECTION,
    fields=(
        Field("user_id", "User id"),
        Field("address", "Address"),
        Field(
            "channel",
            "Channel",
            control=Control.CHOICE,
            options=[("", "Any"), *((each.value, words) for each, words in CHANNELS.items())],
        ),
    ),
    links=(Link(words="Add somebody", path=ADD_PERSON, is_first=True),),
    nothing="Nobody is in the directory yet. Add somebody, or let services do so by the API.",
    not_found="Nobody among those that were looked at matches this.",
)
_ERASING = (
    "Profile, addresses, choices, topics, inbox, and what was sent to them go, or become a keyed "
    "hash. What is pending is cancelled first. This cannot be undone."
)
_SOURCES: Mapping[Source, str] = {
    Source.ONE_CLICK: "by the button of a mail program",
    Source.PAGE: "on the page that a link leads to",
    Source.API: "by the service",
    Source.PROVIDER: "at a provider",
    Source.STOP: "by an SMS",
    Source.COMPLAINT: "by a complaint",
    Source.MERGE: "by a merge",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PeoplePages:
    """Shows people, and has them erased."""

    people: PersonStore
    history: ChoiceHistory
    erasures: Erasures
    default_zone: tzinfo
    new_id: Callable[[], UUID]

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        scope = SECTION.scope
        return (
            ConsolePage(path=SECTION.path, scope=scope, serve=self.show_page),
            ConsolePage(path=ONE, scope=scope, serve=self.show),
            ConsolePage(path=_ERASE, scope=scope, serve=self.ask_to_erase),
            ConsolePage(path=_ERASE, scope=scope, serve=self.erase, method="POST"),
            ConsolePage(path=_ERASURE, scope=scope, serve=self.show_erasure),
        )

    async def show_page(self, visit: Visit) -> Response:
        """Show a page of those that match; a user id leads to its person."""
        sees_all = visit.caller.sees is None
        page = replace(_LIST, fields=(*_LIST.fields, _SERVICE)) if sees_all else _LIST
        asked = page.asked(visit)
        if user_id := asked.text("user_id"):
            return _to_one(visit, user_id, asked.text("service"))
        after = {"after": place} if (place := visit.asked("after")) else {}
        wanted = {**given(asked, *asked.fields), **after}
        query = checked_query(RecipientsQuery, wanted.items())
        if isinstance(query, list):
            return page.show(visit, (), flaws=flaws_of(query))
        found = await self.people.list(
            service=visit.caller.may_see(query.service),
            filter=query.filter(),
            limit=_PER_PAGE,
            after=query.after,
        )
        goes_on = written_place(found.goes_on_after) if found.goes_on_after else ""
        rows = [_row(each, names=sees_all) for each in found.people]
        return page.show(visit, rows, after=goes_on)

    async def show(self, visit: Visit) -> Response:
        """Show what is known of somebody."""
        person = await self._person(visit)
        noted = await self.history.of(
            person.service, person.user_id, limit=_MOST_CHANGES, before=None
        )
        return visit.page(
            "person.html",
            {
                "name": person.user_id,
                "path": path_of(person),
                "done": "It is saved." if visit.asked("done") else "",
                "actions": [
                    ("Change", path_of(person, "/change")),
                    ("Choose for them", path_of(person, "/choose")),
                    ("Quiet hours", path_of(person, "/quiet-hours")),
                ],
                "erase": path_of(person, "/erase"),
                "notifications": "/notifications?"
                + urlencode({"user_id": person.user_id, "service": person.service}),
                "addresses": [_address_row(each).shown() for each in person.addresses],
                "facts": _facts(person, self.default_zone),
                "choices": [
                    (_place(each.category, each.channel), _said(is_on=each.is_on))
                    for each in person.choices
                ],
                "changes": [_change(each) for each in noted],
            },
        )

    async def ask_to_erase(self, visit: Visit) -> Response:
        """Ask whether it is meant: whoever means it types the user id."""
        return _erasing(await self._person(visit)).show(visit)

    async def erase(self, visit: Visit) -> Response:
        """Have somebody erased."""
        person, form = await self._person(visit), visit.form
        body: dict[str, Any] = {"reason": form.text("reason")}
        if form.text("forget_suppression"):
            body["forget_suppression"] = True
        wanted = read_strictly(EraseRequest, body)
        wrong = wanted if isinstance(wanted, list) else []
        if form.text("typed") != person.user_id:
            wrong = [*wrong, InvalidField("/typed", "expected exactly the user id above")]
        if wrong or isinstance(wanted, list):
            return _erasing(person).show(visit, form, flaws_of(wrong))
        request = ErasureRequest(
            id=self.new_id(),
            service=person.service,
            user_id=person.user_id,
            reason=wanted.reason,
            requested_by=visit.caller.actor,
            forget_suppression=wanted.forget_suppression,
        )
        if request.names_whom_it_erases():
            stays = [InvalidField("/reason", "stays, and must not say whom it is about")]
            return _erasing(person).show(visit, form, flaws_of(stays))
        await self.erasures.begin(request)
        return visit.to(_ERASURE.replace("{id:uuid}", str(request.id)))

    async def show_erasure(self, visit: Visit) -> Response:
        """Show how far an erasure is, and its receipt."""
        found = there(await self.erasures.find(visit.named("id"), service=visit.caller.sees))
        return visit.page("erasure.html", _viewed(found))

    async def _person(self, visit: Visit) -> Person:
        user_id: str = visit.named("user_id")
        if user_id_fault(user_id):
            raise not_found()
        service = visit.caller.may_name(visit.asked("service") or None)
        return there(await self.people.get(service, user_id))


def _to_one(visit: Visit, user_id: str, service: str) -> Response:
    named = {"service": service} if service else {}
    return visit.to(f"{SECTION.path}/{quote(user_id, safe='')}", **named)


def path_of(person: Person, more: str = "") -> str:
    """Return where the page of somebody is, or what is below it."""
    named = urlencode({"service": person.service})
    return f"{SECTION.path}/{quote(person.user_id, safe='')}{more}?{named}"


def _erasing(person: Person) -> FormPage:
    return FormPage(
        title="Erase this person?",
        facts=(("User id", person.user_id), ("Service", person.service)),
        said=(
            _ERASING,
            "It takes half a minute at least. The receipt says what was erased and what is kept.",
        ),
        fields=(
            Field(
                "reason", "Why", "A word such as user_request or a ticket. It stays: name nobody"
            ),
            Field(
                "forget_suppression",
                "Also forget that they are not to be sent to",
                control=Control.SWITCH,
            ),
            Field("typed", "Type the user id to confirm"),
        ),
        button="Erase for good",
        action=path_of(person, "/erase"),
        up=(person.user_id, path_of(person)),
        is_dangerous=True,
    )


def _row(person: Person, *, names: bool) -> Sequence[Cell]:
    primary = [each for each in person.addresses if each.is_primary]
    return (
        Cell(text=person.user_id, path=path_of(person), small=person.service if names else ""),
        Cell(
            text=", ".join(each.address for each in primary) or "no address",
            channels=sorted({each.channel for each in primary}),
        ),
        Cell(text=person.locale or "", small=f"changed {time_words(person.updated_at)}"),
    )


def _address_row(address: Address) -> Cell:
    verified = f"verified {time_words(address.verified_at)}" if address.verified_at else ""
    parts = ["primary" if address.is_primary else "", verified]
    return Cell(
        text=address.address,
        channels=[address.channel],
        small=" · ".join(part for part in parts if part),
    )


def _facts(person: Person, default_zone: tzinfo) -> Sequence[tuple[str, str]]:
    return (
        ("Service", person.service),
        ("Language", person.locale or "not said"),
        ("Time zone", person.time_zone or f"not said: {default_zone}"),
        ("Quiet hours", _hours(person.quiet_hours)),
        *(
            (f"Attribute {name}", orjson.dumps(value).decode())
            for name, value in sorted(person.attributes.items())
        ),
        ("Known since", time_words(person.created_at)),
        ("Changed", time_words(person.updated_at)),
    )


def _hours(hours: QuietHours | None) -> str:
    if hours is None:
        return "those of the service"
    days = ", ".join(sorted(hours.weekdays))
    return f"{hours.start:%H:%M} to {hours.end:%H:%M}, {days}"


def _change(change: NotedChange) -> Mapping[str, object]:
    return {
        "what": _place(change.category, change.channel),
        "said": "taken back" if change.is_on is None else _said(is_on=change.is_on),
        "how": _SOURCES[change.source],
        "at": time_words(change.at),
        "notification": str(change.notification_id) if change.notification_id else "",
    }


def _place(category: str, channel: str) -> str:
    what = "everything" if category == ANY else category
    return what if channel == ANY else f"{what} by {CHANNELS[Channel(channel)]}"


def _said(*, is_on: bool) -> str:
    return "yes" if is_on else "no"


def _viewed(erasure: Erasure) -> Mapping[str, object]:
    receipt = erasure.receipt
    indented = orjson.dumps(receipt, option=orjson.OPT_INDENT_2).decode() if receipt else ""
    return {
        "id": str(erasure.id),
        "state": "done" if erasure.finished_at else "under way",
        "facts": [
            ("Service", erasure.service),
            ("Why", erasure.reason),
            ("Asked for", f"{time_words(erasure.requested_at)} by {erasure.requested_by}"),
            *((name.replace("_", " "), f"{count:,}") for name, count in erasure.counts.items()),
        ],
        "receipt": indented,
    }
