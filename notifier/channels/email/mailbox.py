"""Mail addresses as they go on the wire, and the check that nothing else goes with them."""

import re
from collections.abc import Iterator

from email_validator import EmailNotValidError, validate_email

from notifier.audience.recipient import has_control_characters
from notifier.channels._outcomes import UnsendableError
from notifier.errors import SettingsError
from notifier.mailbox import Mailbox, parse_mailbox
from notifier.notification.mail import MailDetails
from notifier.notification.model import Message

_SAFE_ADDRESS = re.compile(r'[^\s<>()\[\]\\,;:@"]+@[^\s<>()\[\]\\,;:@"]+')


def parse_sender(sender: str) -> Mailbox:
    """Parse `Name <name@domain>` or `name@domain` from the settings.

    Raises:
        SettingsError: it is neither.
    """
    try:
        return parse_mailbox(sender)
    except ValueError as error:
        raise SettingsError(f"sender: {error}") from None


def wire_address(address: str) -> str:
    """Return `address` with its domain in ASCII (IDNA).

    Raises:
        UnsendableError: it holds anything that would be more than an address on the wire.
    """
    if has_control_characters(address) or not _SAFE_ADDRESS.fullmatch(address):
        raise UnsendableError("bad_address", "the recipient's address cannot be used safely")
    if address.isascii():
        return address
    return _with_ascii_domain(address)


def _with_ascii_domain(address: str) -> str:
    try:
        checked = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise UnsendableError("bad_address", "the recipient's address is not valid") from error
    return f"{checked.local_part}@{checked.ascii_domain}"


def refuse_unsafe_headers(message: Message) -> None:
    """Refuse what may end or fold a header line, whatever the Python or the provider does.

    Raises:
        UnsendableError: the subject, the recipient or a detail holds control characters.
    """
    for name, value in (("subject", message.subject), ("recipient", message.recipient)):
        if value and has_control_characters(value):
            raise UnsendableError("header_injection", f"the {name} holds control characters")
    if message.mail and any(map(has_control_characters, _texts(message.mail))):
        raise UnsendableError("header_injection", "a detail of the mail holds control characters")


def _texts(details: MailDetails) -> Iterator[str]:
    for mailbox in (details.sender, details.reply_to):
        if mailbox:
            yield from (mailbox.name, mailbox.address)
    for name, value in details.headers.items():
        yield from (name, value)
