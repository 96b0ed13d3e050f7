"""A name and a mail address, read as RFC 5322 writes them."""

import re
import unicodedata
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header

from email_validator import EmailNotValidError, validate_email

_SAFE_ADDRESS = re.compile(r'[^\s<>()\[\]\\,;:@"]+@[^\s<>()\[\]\\,;:@"]+')
_EMPTY_LABEL = re.compile(r"\.\.|^\.|\.@|@\.|\.$")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")
_NAME_AFTER = re.compile(r"(?P<address>[^\s()<>]+)\s+\((?P<name>[^()]*)\)")
# What may end a header's line, or cannot be written at all.
_UNWRITABLE = {"Cc", "Cs", "Zl", "Zp"}

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_MAX_LOCAL, _MAX_ADDRESS, _MAX_NAME = 64, 254, 100

_EXPECTED = "expected 'Name <name@domain>' or 'name@domain'"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A display name, perhaps empty, and an address whose domain is ASCII."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        """The address's domain, in ASCII."""
        return self.address.rpartition("@")[2]

    def __str__(self) -> str:
        """Write it for people to read, and for `parse_mailbox`."""
        if not self.name:
            return self.address
        if not re.search(r'["\\<>]', self.name):
            return f"{self.name} <{self.address}>"
        return f"{_quoted(self.name)} <{self.address}>"


def parse_mailbox(text: str) -> Mailbox:
    """Read `Name <name@domain>`, `"Name" <name@domain>` or `name@domain`.

    More than RFC 5322 allows is taken where it has one meaning only: a comma, a point, brackets or
    letters of any script need no quotes in a name. Encoded words are decoded.

    Raises:
        ValueError: it is none of these; says what is wrong and does not repeat it.
    """
    text = text.strip()
    name, address = _parts(text)
    mailbox = Mailbox(_plain(name), _checked(address.strip()))
    if any(unicodedata.category(character) in _UNWRITABLE for character in text + mailbox.name):
        raise ValueError(f"{_EXPECTED}, without control characters")
    return mailbox


def parse_carried(text: str) -> Mailbox:
    """Read a mailbox that every provider takes as a mail's From and Reply-To.

    As `parse_mailbox` does, within the lengths of RFC 5321 4.5.3.1, and with nothing but ASCII
    before the @: SES and SendGrid have no SMTPUTF8.

    Raises:
        ValueError: it is none; says what is wrong and does not repeat it.
    """
    return _carried(parse_mailbox(text))


def carried_as(name: str, address: str) -> Mailbox:
    """Read an address that stands alone, with the name to show for it. Raises as above."""
    mailbox = parse_mailbox(address)
    if mailbox.name or any(unicodedata.category(each) in _UNWRITABLE for each in name):
        raise ValueError("expected an address alone, and a name without control characters")
    return _carried(Mailbox(re.sub(" +", " ", name).strip(), mailbox.address))


def _carried(mailbox: Mailbox) -> Mailbox:
    local, _, domain = mailbox.address.rpartition("@")
    if not (local.isascii() and _HOST_NAME.fullmatch(domain)):
        raise ValueError(f"{_EXPECTED}; the address has letters that not every provider takes")
    if len(local) > _MAX_LOCAL or len(mailbox.address) > _MAX_ADDRESS:
        raise ValueError(f"expected an address of at most {_MAX_ADDRESS} characters")
    if len(mailbox.name) > _MAX_NAME:
        raise ValueError(f"expected a name of at most {_MAX_NAME} characters")
    return mailbox


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _parts(text: str) -> tuple[str, str]:
    if "<" in text and text.endswith(">"):
        name, _, address = text[:-1].rpartition("<")
        return name, address
    after = _NAME_AFTER.fullmatch(text)
    return (after["name"], after["address"]) if after else ("", text)


def _plain(name: str) -> str:
    unquoted = _QUOTED.sub(lambda quoted: _ESCAPED.sub(r"\1", quoted[1]), name)
    if '"' in _QUOTED.sub("", name):
        raise ValueError(f"{_EXPECTED}; a quotation mark in the name is not closed")
    if re.search("[<>]", _QUOTED.sub("", name)):
        raise ValueError(f"{_EXPECTED}; the name holds < or > outside quotation marks")
    try:
        decoded = str(make_header(decode_header(unquoted)))
    except (HeaderParseError, LookupError, ValueError):
        raise ValueError(f"{_EXPECTED}; an encoded word in the name cannot be read") from None
    return re.sub(" +", " ", decoded).strip()


def _checked(address: str) -> str:
    """Return the address with its domain in ASCII (IDNA)."""
    if not _SAFE_ADDRESS.fullmatch(address):
        raise ValueError(_EXPECTED)
    # Of a domain in ASCII nobody but its name servers knows what it may be: localhost is one too.
    if address.isascii() and not _EMPTY_LABEL.search(address):
        return address
    try:
        checked = validate_email(
            address, check_deliverability=False, test_environment=True, globally_deliverable=False
        )
    except (EmailNotValidError, UnicodeError):
        raise ValueError(f"{_EXPECTED}; the address is not valid") from None
    return f"{checked.local_part}@{checked.ascii_domain}"
