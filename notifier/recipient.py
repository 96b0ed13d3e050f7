"""Recipients: checking them and bringing them into their channel's normal form."""

import re

import phonenumbers
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from phonenumbers import ValidationResult

from notifier.errors import RecipientError
from notifier.notification import Channel

_MAX_IN_APP_CHARS = 200
_E164 = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
# Categories Cc, Cs, Zl and Zp.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")
# What most addresses look like: in normal form but for the domain's case, and read at once.
_PLAIN_EMAIL = re.compile(
    r"(?P<local>[A-Za-z0-9_+-]{1,32}(?:\.[A-Za-z0-9_+-]{1,31})?)"
    r"@(?P<domain>(?:[A-Za-z0-9]{1,60}\.){1,3}(?P<top>[A-Za-z]{2,20}))"
)
_SPECIAL_TOPS = frozenset(name.rpartition(".")[2] for name in SPECIAL_USE_DOMAIN_NAMES)


def normalise(channel: Channel, recipient: str) -> str:
    """Return `recipient` in its channel's normal form.

    An email address (RFC 5321/6531) with a lower-case domain, a telephone number in E.164, or
    an in-app user id of 1 to 200 printable characters.

    Raises:
        RecipientError: it is none of these; the message never repeats it.
    """
    match channel:
        case Channel.EMAIL:
            return _email(recipient)
        case Channel.SMS:
            return _telephone(recipient)
        case Channel.IN_APP:
            return _user_id(recipient)


def has_control_characters(text: str) -> bool:
    """Whether `text` holds what may end a line in a header, or cannot be written at all.

    Categories Cc (controls), Cs (lone surrogates), Zl and Zp (line and paragraph separators).
    """
    return _CONTROL.search(text) is not None


def _email(recipient: str) -> str:
    plain = _PLAIN_EMAIL.fullmatch(recipient)
    if plain and plain["top"].lower() not in _SPECIAL_TOPS:
        return f"{plain['local']}@{plain['domain'].lower()}"
    if has_control_characters(recipient):
        message = "an email address holds no control characters"
        raise RecipientError(message)
    try:
        return validate_email(
            recipient, check_deliverability=False, test_environment=True
        ).normalized
    except (EmailNotValidError, UnicodeError):
        message = "not an email address; expected name@domain"
        raise RecipientError(message) from None  # the cause quotes the address


def _telephone(recipient: str) -> str:
    expected = "not a telephone number; expected E.164, such as +491701234567"
    if not _E164.fullmatch(recipient):
        raise RecipientError(expected)
    try:
        number = phonenumbers.parse(recipient)
    except phonenumbers.NumberParseException:
        raise RecipientError(expected) from None
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        raise RecipientError(expected)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _user_id(recipient: str) -> str:
    if not 1 <= len(recipient) <= _MAX_IN_APP_CHARS or has_control_characters(recipient):
        message = f"expected a user id of 1 to {_MAX_IN_APP_CHARS} printable characters"
        raise RecipientError(message)
    return recipient
