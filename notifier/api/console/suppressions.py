"""The pages of suppressions: who is not sent to and why, adding somebody, and lifting it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from starlette.responses import Response

from notifier.api.console.fields import Control, Field, FormPage, filled, flaws_of, given
from notifier.api.console.layout import Section
from notifier.api.console.lists import Cell, Link, ListPage, cut
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import CHANNELS, time_words
from notifier.api.kit.checking import read_strictly
from notifier.api.kit.problems import INVALID, not_found
from notifier.api.kit.querying import checked_query
from notifier.api.suppressions import (
    Lifter,
    SuppressionQuery,
    SuppressionRequest,
    SuppressionsQuery,
    not_lifted,
    suppression_place,
)
from notifier.audience.pseudonym import ERASED
from notifier.audience.suppression import Lifted, Protected, Suppression, SuppressionStore
from notifier.notification.outcomes import SuppressionReason

SECTION = Section(title="Suppressions", path="/suppressions", scope="read")
_NEW = f"{SECTION.path}/new"
_LIFT = f"{SECTION.path}/lift"
_PER_PAGE = 50
_MOST_OF_ADDRESS = 200
_CHANGES = "send"
_REASONS: Mapping[SuppressionReason, str] = {
    SuppressionReason.HARD_BOUNCE: "Hard bounce",
    SuppressionReason.SPAM_REPORT: "Reported as spam",
    SuppressionReason.UNSUBSCRIBED: "Unsubscribed",
    SuppressionReason.REFUSED: "Refused by a provider",
    SuppressionReason.MANUAL: "Put there by hand",
}
_MEANING: Mapping[SuppressionReason, str] = {
    SuppressionReason.HARD_BOUNCE: "A mail came back: there was no such mailbox. Sending there "
    "again harms your reputation unless the mailbox exists now.",
    SuppressionReason.SPAM_REPORT: "The recipient reported a message of yours as spam. Send again "
    "only if they asked you to.",
    SuppressionReason.UNSUBSCRIBED: "The recipient asked not to be sent to. Send again only if "
    "they asked you to.",
    SuppressionReason.REFUSED: "A provider refused this address for good. It may refuse it again.",
    SuppressionReason.MANUAL: "Somebody put it on the list by hand, or a service did.",
}
_AFTERWARDS = (
    "What is accepted from now on is sent there again. What was suppressed meanwhile stays unsent."
)
_CHANNELS = [(each.value, words) for each, words in CHANNELS.items()]
_WHY = [(each.value, words) for each, words in _REASONS.items()]
_ADDRESS = Field("recipient", "Address", "An address, a number or a user id")
_SERVICE = Field("service", "Service")
_NARROWING = (
    Field("recipient", "Address"),
    Field("type", "Channel", control=Control.CHOICE, options=[("", "Any"), *_CHANNELS]),
    Field("reason", "Reason", control=Control.CHOICE, options=[("", "Any"), *_WHY]),
)
_LIST = ListPage(
    section=SECTION,
    fields=_NARROWING,
    nothing="Nobody is on the list. Hard bounces, complaints and unsubscriptions come onto it.",
    not_found="Nobody on the list matches this.",
    done={
        "added": "It is on the list: nothing is sent there any more.",
        "lifted": f"It is off the list. {_AFTERWARDS}",
    },
)
_ADDING = FormPage(
    title="Suppress an address",
    fields=(
        _ADDRESS,
        Field("type", "Channel", control=Control.CHOICE, options=_CHANNELS),
        Field("reason", "Reason", control=Control.CHOICE, options=_WHY),
        Field("category", "Category", "Only notifications of this category; blank: all"),
    ),
    said=("What is sent there ends as suppressed, and so does what is waiting.",),
    button="Suppress it",
    action=_NEW,
    up=(SECTION.title, SECTION.path),
)
_FIELDS = ("type", "recipient", "reason", "category")
_NAMING = ("service", "type", "recipient", "category")


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressedPages:
    """Shows suppression lists, and changes them."""

    suppressions: SuppressionStore
    lifter: Lifter

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        return (
            ConsolePage(path=SECTION.path, scope=SECTION.scope, serve=self.show),
            ConsolePage(path=_NEW, scope=_CHANGES, serve=self.offer),
            ConsolePage(path=_NEW, scope=_CHANGES, serve=self.add, method="POST"),
            ConsolePage(path=_LIFT, scope=_CHANGES, serve=self.ask_to_lift),
            ConsolePage(path=_LIFT, scope=_CHANGES, serve=self.lift, method="POST"),
        )

    async def show(self, visit: Visit) -> Response:
        """Show a page of those that match."""
        may_change = _CHANGES in visit.caller.scopes
        links = [Link(words=_ADDING.title, path=_NEW, is_first=True)] if may_change else []
        page = replace(_LIST, fields=_fields(visit, _NARROWING), links=links)
        asked = page.asked(visit)
        wanted = given(asked, *asked.fields)
        after = {"after": place} if (place := visit.asked("after")) else {}
        query = checked_query(SuppressionsQuery, {**wanted, **after}.items())
        if isinstance(query, list):
            return page.show(visit, (), flaws=flaws_of(query))
        found = await self.suppressions.list(
            service=visit.caller.may_see(query.service),
            channel=query.type,
            limit=_PER_PAGE + 1,
            after=query.after,
            recipient=query.recipient,
            reason=query.reason,
        )
        shown, last = cut(found, _PER_PAGE)
        goes_on = suppression_place(last) if last else ""
        return page.show(visit, [_row(each, visit) for each in shown], after=goes_on)

    async def offer(self, visit: Visit) -> Response:
        """Show an empty form."""
        empty = filled(service=visit.caller.service, reason=SuppressionReason.MANUAL.value)
        return _adding(visit).show(visit, empty)

    async def add(self, visit: Visit) -> Response:
        """Put an address on a list."""
        form = visit.form
        wanted = read_strictly(SuppressionRequest, {**given(form, *_FIELDS)})
        if isinstance(wanted, list):
            return _adding(visit).show(visit, form, flaws_of(wanted))
        await self.suppressions.add(
            service=visit.caller.may_name(form.text("service") or None),
            channel=wanted.type,
            recipient=wanted.recipient,
            reason=wanted.reason,
            category=wanted.category,
        )
        return visit.to(SECTION.path, done="added", recipient=wanted.recipient)

    async def ask_to_lift(self, visit: Visit) -> Response:
        """Ask whether it is meant, and say what it means."""
        named = {name: text for name in _NAMING if (text := visit.asked(name))}
        query = checked_query(SuppressionQuery, named.items())
        if isinstance(query, list):
            raise not_found()
        return _lifting(await self._entry(visit, query)).show(visit)

    async def lift(self, visit: Visit) -> Response:
        """Take an entry off its list."""
        form = visit.form
        named = given(form, *_NAMING)
        query = checked_query(SuppressionQuery, {**named, **given(form, "reason")}.items())
        if isinstance(query, list):
            known = checked_query(SuppressionQuery, named.items())
            if isinstance(known, list):
                raise not_found()
            page = _lifting(await self._entry(visit, known))
            return page.show(visit, form, flaws_of(query))
        entry = await self._entry(visit, query)
        match await self.lifter.lift(visit.caller, query):
            case Lifted():
                return visit.to(SECTION.path, done="lifted")
            case Protected(reason):
                error = not_lifted(visit.caller, reason)
                if error.problem is not INVALID:
                    raise error
                return _lifting(entry).show(visit, form, flaws_of(error.more.errors))
            case _:
                raise not_found()

    async def _entry(self, visit: Visit, query: SuppressionQuery) -> Suppression:
        found = await self.suppressions.list(
            service=visit.caller.may_name(query.service),
            channel=query.type,
            limit=_MOST_OF_ADDRESS,
            after=None,
            recipient=query.recipient,
        )
        for each in found:
            if each.category == query.category:
                return each
        raise not_found()


def _fields(visit: Visit, fields: Sequence[Field]) -> Sequence[Field]:
    """Return `fields`, and which service for those who may name another."""
    return (*fields, _SERVICE) if visit.caller.sees is None else fields


def _adding(visit: Visit) -> FormPage:
    return replace(_ADDING, fields=_fields(visit, _ADDING.fields))


def _lifting(entry: Suppression) -> FormPage:
    return FormPage(
        title="Send there again?",
        fields=(
            Field(
                "reason",
                "Why it may be sent to again",
                "One line, without the address. It comes into the timeline of the notification "
                "that brought the entry."
                + (
                    " Needed: the recipient asked for it."
                    if entry.reason.is_recipients_will
                    else ""
                ),
            ),
        ),
        facts=(
            ("Address", entry.recipient),
            ("Channel", CHANNELS[entry.channel]),
            ("Service", entry.service),
            ("For", _whose(entry)),
            ("Reason", _REASONS[entry.reason]),
            ("Since", time_words(entry.created_at)),
        ),
        said=(_MEANING[entry.reason], _AFTERWARDS),
        hidden=_named(entry),
        button="Lift it",
        action=_LIFT,
        up=(SECTION.title, SECTION.path),
        is_dangerous=True,
    )


def _row(entry: Suppression, visit: Visit) -> Sequence[Cell]:
    names = visit.caller.sees is None
    id = entry.notification_id
    is_erased = entry.recipient.startswith(ERASED)
    may_lift = _CHANGES in visit.caller.scopes and not is_erased
    return (
        Cell(
            text="Somebody who was erased" if is_erased else entry.recipient,
            channels=[entry.channel],
            small=f"{entry.service} · {_whose(entry)}" if names else _whose(entry),
        ),
        Cell(
            text=_REASONS[entry.reason],
            path=f"/notifications?id={id}" if id else "",
            small=f"since {time_words(entry.created_at)}"
            + (" · by the notification behind the link" if id else ""),
        ),
        Cell(
            link=Link(
                words="Lift", path=f"{_LIFT}?{urlencode(_named(entry))}", about=entry.recipient
            )
            if may_lift
            else None
        ),
    )


def _whose(entry: Suppression) -> str:
    return f"category {entry.category}" if entry.category else "everything"


def _named(entry: Suppression) -> Mapping[str, str]:
    of = {"category": entry.category} if entry.category else {}
    named = {"service": entry.service, "type": entry.channel.value, "recipient": entry.recipient}
    return {**named, **of}
