"""What a mail has besides its content: as whom it is sent, where answers go, its headers."""

from collections.abc import Iterator, Mapping

from notifier.intake.draft import Draft, Flaw
from notifier.intake.headers import canonical, header_faults
from notifier.intake.senders import DEFAULT, Sender
from notifier.mailbox import Mailbox, parse_carried
from notifier.notification.mail import MailDetails
from notifier.notification.model import Channel

_MOST_TOLD = 20


def mail_details(draft: Draft, senders: Mapping[str, Sender]) -> MailDetails | list[Flaw] | None:
    """Pin what a draft's mail has besides its content; or all that is wrong with it.

    `senders` are those of its service. None: it has nothing, and is sent as its provider's
    settings have it.
    """
    if draft.channel is not Channel.EMAIL:
        return list(_misplaced(draft)) or None
    sender = _sender(draft.sender, senders)
    reply_to = _reply_to(draft.reply_to)
    if sender is None and reply_to is None and not draft.headers:
        return None
    flaws = [each for each in (sender, reply_to) if isinstance(each, Flaw)]
    flaws += _wrong_headers(draft)
    if flaws or isinstance(sender, Flaw) or isinstance(reply_to, Flaw):
        return flaws
    return _details(sender, reply_to, draft)


def _details(sender: Sender | None, reply_to: Mailbox | None, draft: Draft) -> MailDetails:
    return MailDetails(
        sender=sender.mailbox if sender else None,
        reply_to=reply_to or (sender.reply_to if sender else None),
        headers={canonical(name): value for name, value in (draft.headers or {}).items()},
    )


def _misplaced(draft: Draft) -> Iterator[Flaw]:
    given = {"from": draft.sender, "reply_to": draft.reply_to, "headers": draft.headers}
    for field, value in given.items():
        if value is not None:
            yield Flaw(field, "only an email has this")


def _sender(name: str | None, known: Mapping[str, Sender]) -> Sender | Flaw | None:
    if name is None or name in known:
        return known.get(name or DEFAULT)
    if not known:
        return Flaw("from", "there is no such sender: this service has none")
    told = ", ".join(sorted(known)[:_MOST_TOLD])
    return Flaw("from", f"there is no such sender; there are {told}")


def _reply_to(text: str | None) -> Mailbox | Flaw | None:
    if text is None:
        return None
    try:
        return parse_carried(text)
    except ValueError as error:
        return Flaw("reply_to", str(error))


def _wrong_headers(draft: Draft) -> Iterator[Flaw]:
    for name, words in header_faults(draft.headers or {}):
        yield Flaw("headers", words, () if name is None else (name,))
