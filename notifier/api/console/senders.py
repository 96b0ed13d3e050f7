"""The pages of senders: as whom services send mails, setting one, and removing one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from starlette.responses import Response

from notifier.access.keys import is_service_name
from notifier.api.console.fields import Field, FormPage, filled, flaws_of, given
from notifier.api.console.layout import Section
from notifier.api.console.lists import Cell, Link, ListPage, cut
from notifier.api.console.visits import ConsolePage, Visit
from notifier.api.console.words import time_words
from notifier.api.kit.checking import read_strictly
from notifier.api.kit.problems import InvalidField, not_found, there
from notifier.api.kit.querying import checked_query, named_place
from notifier.api.senders import SenderRequest, SendersQuery
from notifier.intake.senders import (
    MAX_SENDERS,
    Senders,
    SenderStore,
    StoredSender,
    TooMany,
    is_sender_name,
)

SECTION = Section(title="Senders", path="/senders", scope="read")
_SET = f"{SECTION.path}/set"
_REMOVE = f"{SECTION.path}/remove"
_CHANGES = "admin"
_PER_PAGE = 50
_LIST = ListPage(
    section=SECTION,
    nothing="No senders yet: mails come from the address in the settings.",
    done={
        "set": "It is saved: what is accepted from now on is sent as it says.",
        "removed": "It is removed: nothing new is sent as it.",
    },
)
_SETTING = FormPage(
    title="Set a sender",
    fields=(
        Field("service", "Service"),
        Field("name", "Name", "What from names in a send; default: for mails that name none"),
        Field("address", "Address", "The From address, alone"),
        Field("display_name", "Shown as", "The name to show for it; blank: none"),
        Field("reply_to", "Answers go to", "Such as Help <help@shop.example>; blank: the address"),
    ),
    said=("One of this name is replaced. What was accepted is sent as it was.",),
    button="Save",
    action=_SET,
    up=(SECTION.title, SECTION.path),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderPages:
    """Shows senders, and lets operators say which there are."""

    store: SenderStore
    senders: Senders

    def pages(self) -> Sequence[ConsolePage]:
        """Declare them."""
        return (
            ConsolePage(path=SECTION.path, scope=SECTION.scope, serve=self.show),
            ConsolePage(path=_SET, scope=_CHANGES, serve=self.offer),
            ConsolePage(path=_SET, scope=_CHANGES, serve=self.set, method="POST"),
            ConsolePage(path=_REMOVE, scope=_CHANGES, serve=self.ask_to_remove),
            ConsolePage(path=_REMOVE, scope=_CHANGES, serve=self.remove, method="POST"),
        )

    async def show(self, visit: Visit) -> Response:
        """Show a page of them."""
        may_change = _CHANGES in visit.caller.scopes
        setting = (Link(words=_SETTING.title, path=_SET, is_first=True),)
        page = replace(_LIST, links=setting if may_change else ())
        after = {"after": place} if (place := visit.asked("after")) else {}
        query = checked_query(SendersQuery, after.items())
        if isinstance(query, list):
            raise not_found()
        found = await self.store.list(
            service=visit.caller.sees, limit=_PER_PAGE + 1, after=query.after
        )
        shown, last = cut(found, _PER_PAGE)
        goes_on = named_place(last) if last else ""
        return page.show(
            visit, [_row(each, may_change=may_change) for each in shown], after=goes_on
        )

    async def offer(self, visit: Visit) -> Response:
        """Show the form, as the sender is that the query names."""
        service, name = visit.asked("service"), visit.asked("name")
        known = (await self.store.of(service)).get(name) if name else None
        if known is None:
            return _SETTING.show(visit, filled(service=service or visit.caller.service))
        form = filled(
            service=service,
            name=name,
            address=known.mailbox.address,
            display_name=known.mailbox.name,
            reply_to=str(known.reply_to) if known.reply_to else "",
        )
        return _SETTING.show(visit, form)

    async def set(self, visit: Visit) -> Response:
        """Add or replace one."""
        form = visit.form
        service, name = form.text("service"), form.text("name")
        wanted = read_strictly(
            SenderRequest, {**given(form, "address", "display_name", "reply_to")}
        )
        wrong = wanted if isinstance(wanted, list) else []
        if not is_service_name(service):
            wrong = [*wrong, InvalidField("/service", "expected 1 to 100 printable characters")]
        if not is_sender_name(name):
            wrong = [*wrong, InvalidField("/name", "expected a name such as default")]
        if wrong or isinstance(wanted, list):
            return _SETTING.show(visit, form, flaws_of(wrong))
        if isinstance(await self.store.set(wanted.sender(service, name)), TooMany):
            many = [InvalidField("", f"a service has at most {MAX_SENDERS} senders")]
            return _SETTING.show(visit, form, flaws_of(many))
        self.senders.forget()
        return visit.to(SECTION.path, done="set")

    async def ask_to_remove(self, visit: Visit) -> Response:
        """Ask whether it is meant."""
        service, name = visit.asked("service"), visit.asked("name")
        known = (await self.store.of(service)).get(name)
        if known is None:
            raise not_found()
        page = FormPage(
            title="Remove this sender?",
            fields=(),
            facts=(("Service", service), ("Name", name), ("Mails from", str(known.mailbox))),
            said=("Sends that name it are refused. What was accepted is sent as it was.",),
            hidden={"service": service, "name": name},
            button="Remove it",
            action=_REMOVE,
            up=(SECTION.title, SECTION.path),
            is_dangerous=True,
        )
        return page.show(visit)

    async def remove(self, visit: Visit) -> Response:
        """Let nothing new be sent as this one."""
        there(await self.store.remove(visit.form.text("service"), visit.form.text("name")))
        self.senders.forget()
        return visit.to(SECTION.path, done="removed")


def _row(sender: StoredSender, *, may_change: bool) -> Sequence[Cell]:
    named = urlencode({"service": sender.service, "name": sender.name})
    removing = Link(
        words="Remove",
        path=f"{_REMOVE}?{named}",
        about=f"{sender.name} of {sender.service}",
    )
    answers = f"answers to {sender.reply_to}" if sender.reply_to else "answers to the same"
    return (
        Cell(
            text=sender.name,
            path=f"{_SET}?{named}" if may_change else "",
            small=sender.service,
        ),
        Cell(text=str(sender.mailbox), small=answers),
        Cell(small=f"since {time_words(sender.updated_at)}", link=removing if may_change else None),
    )
