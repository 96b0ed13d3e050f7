"""Recipients: reading what people write, and bringing it into their channel's normal form."""

import re
import unicodedata
from collections.abc import Set as AbstractSet

import phonenumbers
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from phonenumbers import ValidationResult

from notifier.audience.user_id import user_id_fault
from notifier.errors import RecipientError
from notifier.notification.model import Channel

_MAX_LOCAL_OCTETS = 64
_MAX_LABEL_OCTETS = 63
_MAX_EMAIL_OCTETS = 254
_E164 = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
# Categories Cc, Cs, Zl and Zp.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")
# What most addresses look like: in normal form but for the domain's case, and read at once.
_PLAIN_EMAIL = re.compile(
    r"(?P<local>[A-Za-z0-9_+-]{1,32}(?:\.[A-Za-z0-9_+-]{1,31})?)"
    r"@(?P<domain>(?:[A-Za-z0-9]{1,60}\.){1,3}(?P<top>[A-Za-z]{2,20}))"
)
_SPECIAL_TOPS = frozenset(name.rpartition(".")[2] for name in SPECIAL_USE_DOMAIN_NAMES)
# Joiners, which some scripts need between letters.
_JOINERS = "\u200c\u200d"
# What shows nothing although its category is not Cf: fillers and variation selectors.
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_UNFIT_FOR_DOMAINS = re.compile(r"[\x00-,/:-@\[-`{-\x7f]")
_UNFIT_FOR_NAMES = re.compile(r"[\x00- \x7f()\[\]\\:]")
_BRACKETED = re.compile(r"<([^<>]*)>")
_SCHEMES = {Channel.EMAIL: "mailto:", Channel.SMS: "tel:"}
_EMAIL = "not an email address"
_TELEPHONE = "not a telephone number"
_EXPECTED = "expected E.164, such as +491701234567"
_SEPARATORS = frozenset("./()\u00b7\u2022\u2044\u2215\u2212")


def normalise(channel: Channel, recipient: str) -> str:
    """Return `recipient` in its channel's normal form, which is what is sent to and shown.

    An email address (RFC 5321/6531) with a lower-case domain, a telephone number in E.164, or
    an in-app user id of 1 to 200 printable characters. What is never part of an address is left
    out: white space and line ends around it, invisible characters, the dot that ends a domain,
    `mailto:` and `tel:`, and what people write between the digits of a number.

    Raises:
        RecipientError: it is none of these; the message says what is wrong and never repeats it.
    """
    match channel:
        case Channel.EMAIL:
            return _email(recipient)
        case Channel.SMS:
            return _telephone(recipient)
        case Channel.IN_APP:
            return _user_id(recipient)


def compared(channel: Channel, recipient: str) -> str:
    """Return what a recipient in normal form is compared by: an address without case and width.

    User ids are compared as they are.
    """
    if channel is not Channel.EMAIL:
        return recipient
    if recipient.isascii():
        return recipient.lower()
    # Unicode's toNFKC_Casefold, but for what it leaves out.
    folded = unicodedata.normalize("NFD", recipient).casefold()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", folded).casefold())


def compared_forms(text: str) -> AbstractSet[str]:
    """Return `text` and, where it can be read as an address, what that is compared by.

    The normal form is there, too: records of earlier versions are found by that alone.
    """
    forms = {text}
    for channel in (Channel.EMAIL, Channel.SMS):
        try:
            normal = normalise(channel, text)
        except RecipientError:
            continue
        forms |= {normal, compared(channel, normal)}
    return forms


NOT_ONE_LINE = "control characters and line breaks are not allowed"
"""What to say of a text that must be one line, and is not."""


def has_control_characters(text: str) -> bool:
    """Whether `text` holds what may end a line in a header, or cannot be written at all.

    Categories Cc (controls), Cs (lone surrogates), Zl and Zp (line and paragraph separators).
    """
    return _CONTROL.search(text) is not None


def _email(recipient: str) -> str:
    plain = _PLAIN_EMAIL.fullmatch(recipient)
    if plain and plain["top"].lower() not in _SPECIAL_TOPS:
        return f"{plain['local']}@{plain['domain'].lower()}"
    address = _bare(Channel.EMAIL, recipient)
    address = address.removesuffix(".")
    try:
        normal = validate_email(
            address, check_deliverability=False, test_environment=True
        ).normalized
    except (EmailNotValidError, UnicodeError):
        # The cause quotes the address.
        raise RecipientError(_email_fault(recipient, address)) from None
    if fault := _too_long(normal) or _top_fault(normal):
        raise RecipientError(f"{_EMAIL}: {fault}")
    return normal


def _telephone(recipient: str) -> str:
    number = _bare(Channel.SMS, recipient)
    digits = "".join(map(_dialled, number))
    if fault := _telephone_fault(recipient, number, digits):
        raise RecipientError(f"{_TELEPHONE}: {fault}")
    try:
        parsed = phonenumbers.parse(digits)
    except phonenumbers.NumberParseException:
        message = f"{_TELEPHONE}: no country's code begins it; {_EXPECTED}"
        raise RecipientError(message) from None
    reason = phonenumbers.is_possible_number_with_reason(parsed)
    if reason != ValidationResult.IS_POSSIBLE:
        raise RecipientError(f"{_TELEPHONE}: {_length_fault(reason)}; {_EXPECTED}")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _user_id(recipient: str) -> str:
    if fault := user_id_fault(recipient):
        raise RecipientError(f"not a user id: {fault}")
    return recipient


def _bare(channel: Channel, recipient: str) -> str:
    """Return what is left of an address without what is never part of one."""
    text = "".join(char for char in recipient if not _is_invisible(char)).strip()
    scheme = _SCHEMES[channel]
    text = _out_of_brackets(text)
    if text[: len(scheme)].lower() == scheme:
        text = text[len(scheme) :].strip()
    return _out_of_brackets(text).strip(_JOINERS)


def _out_of_brackets(text: str) -> str:
    bracketed = _BRACKETED.fullmatch(text)
    return bracketed[1].strip() if bracketed else text


def _is_invisible(char: str) -> bool:
    if char in _FILLERS or _SELECTORS.match(char):
        return True
    return unicodedata.category(char) == "Cf" and char not in _JOINERS


def _email_fault(recipient: str, address: str) -> str:
    """Say what keeps `address`, all that is left of `recipient`, from being one."""
    expected = "expected name@domain"
    fault = (
        _form_fault(address)
        or _strange_character(recipient, address)
        or _parts_fault(address)
        or _dots_fault(address)
        or _domain_fault(address.rpartition("@")[2])
        or _too_long(address)
    )
    return f"{_EMAIL}: {fault}; {expected}" if fault else f"{_EMAIL}; {expected}"


def _form_fault(address: str) -> str | None:
    if not address:
        return "there is nothing in it"
    if "<" in address or ">" in address:
        return "write the address alone, without a name and the < and > around it"
    if '"' in address:
        return 'names in quotes are not taken; write it without the "'
    return "one address only; send to each by itself" if {",", ";"} & {*address} else None


def _parts_fault(address: str) -> str | None:
    if "@" not in address:
        return "there is no @"
    if address.count("@") > 1:
        return "there is more than one @"
    if address.startswith("@"):
        return "there is nothing before the @"
    return "there is nothing after the @" if address.endswith("@") else None


def _strange_character(recipient: str, address: str) -> str | None:
    name, at, domain = address.rpartition("@")
    unfit = (
        next(filter(_is_strange, address), None)
        or _first(_UNFIT_FOR_NAMES, name if at else address)
        or _first(_UNFIT_FOR_DOMAINS, domain if at else "")
    )
    return _named(unfit, recipient, address) if unfit else None


def _is_strange(char: str) -> bool:
    looks_like_at = not char.isascii() and "@" in unicodedata.normalize("NFKC", char)
    return looks_like_at or unicodedata.category(char)[0] in "CZ"


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return found[0] if found else None


def _named(char: str, recipient: str, kept: str) -> str:
    """Name a character of what was kept of a recipient: all that an answer may tell of it."""
    place = recipient.index(char, recipient.index(kept[0])) + 1
    name = unicodedata.name(char, "a control character").lower()
    return f"U+{ord(char):04X} ({name}) at character {place} cannot be in one"


def _dots_fault(address: str) -> str | None:
    local, _, domain = address.rpartition("@")
    if ".." in address or address.endswith("."):
        return "there are two dots in a row"
    if local.startswith(".") or local.endswith("."):
        return "the name before the @ begins or ends with a dot"
    return "the domain begins with a dot" if domain.startswith(".") else None


def _domain_fault(domain: str) -> str | None:
    labels = domain.split(".")
    if len(labels) == 1:
        return "the domain has no dot and so no ending, such as .com"
    if any(len(_octets(label)) > _MAX_LABEL_OCTETS for label in labels):
        return f"a part of the domain is longer than {_MAX_LABEL_OCTETS} characters"
    if any(label.startswith("-") or label.endswith("-") for label in labels):
        return "a part of the domain begins or ends with a hyphen"
    if labels[-1].isdigit():
        return "the domain's ending is no name"
    if labels[-1].lower() in _SPECIAL_TOPS:
        return "the domain's ending is reserved: no mail goes there"
    is_international = not domain.isascii() or "xn--" in domain.lower()
    return "no domain's name may be written like this (IDNA)" if is_international else None


def _top_fault(normal: str) -> str | None:
    top = normal.rpartition(".")[2]
    if len(top) == 1 and top.isascii():
        return "the domain's ending has one letter only; all have two or more"
    return None


def _too_long(address: str) -> str | None:
    local, _, domain = address.rpartition("@")
    octets = len(local.encode(errors="replace"))
    if octets > _MAX_LOCAL_OCTETS:
        return f"{octets} octets before the @; at most {_MAX_LOCAL_OCTETS} are allowed"
    octets += 1 + sum(len(_octets(label)) + 1 for label in domain.split(".")) - 1
    if octets > _MAX_EMAIL_OCTETS:
        return f"{octets} octets; at most {_MAX_EMAIL_OCTETS} are allowed"
    return None


def _octets(label: str) -> bytes:
    """Return a label of a domain as it is in the DNS."""
    return label.encode() if label.isascii() else b"xn--" + label.encode("punycode")


def _dialled(char: str) -> str:
    """Return the digit or sign that a character of a number stands for; nothing for a separator."""
    digit = unicodedata.decimal(char, None)
    if digit is not None:
        return str(digit)
    plain = unicodedata.normalize("NFKC", char)
    if plain.isspace() or plain in _SEPARATORS or unicodedata.category(char) in {"Pd", "Cf"}:
        return ""
    return "+" if plain == "+" else char


def _telephone_fault(recipient: str, number: str, digits: str) -> str | None:
    """Say what keeps the digits of a number from being one in international form."""
    if not digits:
        return f"there is nothing in it; {_EXPECTED}"
    for char in number:
        if _dialled(char) not in {"", "+", *"0123456789"}:
            return f"{_named(char, recipient, number)}; {_EXPECTED}"
    if digits.startswith("00"):
        return "write + instead of the 00 at its start"
    if not digits.startswith("+"):
        return f"it has to start with + and the country's code; {_EXPECTED}"
    if "+" in digits[1:]:
        return f"the + is for its start alone; {_EXPECTED}"
    if digits.startswith("+0"):
        return f"no country's code begins with 0; {_EXPECTED}"
    return None if _E164.fullmatch(digits) else f"{_digits_fault(len(digits) - 1)}; {_EXPECTED}"


def _digits_fault(digits: int) -> str:
    return f"{digits} digits are too few" if digits < 7 else f"{digits} digits are too many"  # noqa: PLR2004  E.164's


def _length_fault(reason: int) -> str:
    match reason:
        case ValidationResult.TOO_LONG:
            return "it has too many digits for its country"
        case ValidationResult.INVALID_COUNTRY_CODE:
            return "no country's code begins it"
        case _:
            return "it has too few digits for its country"
