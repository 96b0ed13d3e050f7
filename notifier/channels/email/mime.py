"""Building a mail: headers, text and html, as the bytes that follow DATA.

By hand rather than with the email package, which takes thirty times as long and in some
versions of Python turns an encoded subject into header lines of its own (CVE-2024-6923).
"""

import re
from base64 import encodebytes
from binascii import b2a_base64, b2a_qp
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import quote

from notifier.channels._outcomes import UnsendableError
from notifier.channels.email.headers import headers_of
from notifier.channels.email.mailbox import refuse_unsafe_headers, wire_address
from notifier.mailbox import Mailbox
from notifier.notification.mail import Attached, MailDetails
from notifier.notification.model import Message

_MAX_LINE_CHARS = 76
_ENCODED_WORD_BYTES = 39
_PLAIN = re.compile(r"[!-~]{1,60}(?: [!-~]{1,60})*", re.ASCII)
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+", re.ASCII)
_FILE_NAME = re.compile(r"[A-Za-z0-9!#$&+.^_`{}~()@,;=\[\] -]{1,58}", re.ASCII)
_PIECE_CHARS = 56
_LINE_END = re.compile(r"\r\n|\r")


@dataclass(slots=True)
class Mail:
    """A mail ready for its envelope and for DATA.

    `content` has CRLF line ends, its dots stuffed and its final dot; it may be let go of once it
    is sent, for a server can take long to answer.
    """

    sender: str
    recipient: str
    content: bytes

    @property
    def needs_smtputf8(self) -> bool:
        """Whether an address can be told only to a server that offers SMTPUTF8."""
        return not (self.sender.isascii() and self.recipient.isascii())

    @property
    def source(self) -> bytes:
        """The mail itself, as a server gets it: without what DATA adds."""
        return self.content.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")


_NONE: Mapping[str, str] = {}
_NO_DETAILS = MailDetails()


def compose(
    message: Message, sender: Mailbox, now: datetime, headers: Mapping[str, str] = _NONE
) -> Mail:
    """Build the mail for `message`; its Message-ID is the same on every attempt.

    `sender` is the setting's, for what was accepted without one. `headers` go in as they are: a
    setting's, never a message's.

    Raises:
        UnsendableError: it cannot be written as a mail, or not safely.
    """
    refuse_unsafe_headers(message)
    recipient = wire_address(message.recipient)
    sender = (message.mail and message.mail.sender) or sender
    try:
        lines = b"".join((_head(message, sender, recipient, now, headers).encode(), _body(message)))
    except UnicodeEncodeError as error:
        raise UnsendableError("not_unicode", "the content is not valid Unicode") from error
    content = lines.replace(b"\r\n.", b"\r\n..") + b".\r\n"
    return Mail(sender.address, recipient, content)


def _head(
    message: Message, sender: Mailbox, recipient: str, now: datetime, headers: Mapping[str, str]
) -> str:
    details = message.mail or _NO_DETAILS
    reply_to = (f"Reply-To: {format_mailbox(details.reply_to)}",) if details.reply_to else ()
    subject = (_subject(message.subject),) if message.subject else ()
    return "\r\n".join(
        (
            f"From: {format_mailbox(sender)}",
            *reply_to,
            f"To: {recipient}",
            *subject,
            f"Date: {format_datetime(now)}",
            f"Message-ID: <{message.id}@{sender.domain}>",
            *(_header(name, value) for name, value in headers_of(message, sender).items()),
            *(f"{name}: {value}" for name, value in headers.items()),
            "MIME-Version: 1.0",
            "",
        )
    )


def format_mailbox(mailbox: Mailbox) -> str:
    """Return `mailbox` as it stands in a header."""
    if not mailbox.name:
        return mailbox.address
    if _ATOMS.fullmatch(mailbox.name) and _is_plain(mailbox.name):
        return f"{mailbox.name} <{mailbox.address}>"
    if _is_plain(mailbox.name):
        escaped = mailbox.name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}" <{mailbox.address}>'
    return f"{_encoded_words(mailbox.name)}\r\n <{mailbox.address}>"


def in_ascii(name: str, value: str) -> str:
    """Return what a message's own header says on one line, in encoded words where need be."""
    return value if _is_written(name, value) else _encoded_words(value).replace("\r\n", "")


def _header(name: str, value: str) -> str:
    if _is_written(name, value):
        return _folded(f"{name}: {value}")
    return f"{name}: {_encoded_words(value, after=len(name) + 2)}"


def _is_written(name: str, value: str) -> bool:
    """Whether it stands as it is: nothing in a header with a syntax of its own is encoded."""
    return value.isascii() and ("=?" not in value or name[:2].lower() != "x-")


def _is_plain(text: str) -> bool:
    return "=?" not in text and _PLAIN.fullmatch(text) is not None


def _subject(text: str) -> str:
    return _folded(f"Subject: {text}") if _is_plain(text) else f"Subject: {_encoded_words(text)}"


def _folded(text: str) -> str:
    """Break a header's line between words; one that is longer than a line stays whole."""
    if len(text) < _MAX_LINE_CHARS:
        return text
    name, first, *words = text.split(" ")
    lines, line = [], f"{name} {first}"
    for word in words:
        if len(line) + 1 + len(word) > _MAX_LINE_CHARS:
            lines.append(line)
            line = ""
        line += f" {word}"
    return "\r\n".join((*lines, line))


def _encoded_words(text: str, after: int = 0) -> str:
    """Write `text` as encoded words, the first of them behind so many characters of a line."""
    most = (_MAX_LINE_CHARS - after - len("=?utf-8?b??=")) // 4 * 3
    words = (b2a_base64(chunk, newline=False).decode() for chunk in _chunks(text, most))
    return "\r\n ".join(f"=?utf-8?b?{word}?=" for word in words)


def _chunks(text: str, first: int) -> Iterator[bytes]:
    raw, start, most = text.encode(), 0, min(first, _ENCODED_WORD_BYTES)
    while start < len(raw):
        end = min(start + most, len(raw))
        while end < len(raw) and raw[end] & 0xC0 == 0x80:  # noqa: PLR2004 - inside a character
            end -= 1
        yield raw[start:end]
        start, most = end, _ENCODED_WORD_BYTES


def _body(message: Message) -> bytes:
    shown = [each for each in message.attached if each.content_id and message.html is not None]
    listed = [each for each in message.attached if each not in shown]
    content = _content(message, shown)
    if not listed:
        return content if content.endswith(b"\r\n") else content + b"\r\n"
    return _multipart(b"mixed", message, content, *map(_file, listed))


def _content(message: Message, shown: Sequence[Attached]) -> bytes:
    """Return the text, beside the html if there is one, and that with what it shows."""
    text = _part(message.text, b"plain")
    if message.html is None:
        return text
    html = _part(message.html, b"html")
    if shown:
        html = _multipart(b'related; type="text/html"', message, html, *map(_file, shown))
    return _multipart(b"alternative", message, text, html)


def _multipart(kind: bytes, message: Message, *parts: bytes) -> bytes:
    """Return parts as one (RFC 2046 5.1): each kind has a boundary of its own."""
    # Quoted-printable and base64 never hold "=_", so no content can end a part early.
    boundary = b"=_" + _MARKS[kind] + message.id.hex.encode()
    head = b"Content-Type: multipart/" + kind + b'; boundary="' + boundary + b'"\r\n'
    begin = b"\r\n--" + boundary
    return b"".join(
        [head, *(each for part in parts for each in (begin, b"\r\n", part)), begin, b"--\r\n"]
    )


_MARKS: Mapping[bytes, bytes] = {
    b"alternative": b"",
    b'related; type="text/html"': b"r",
    b"mixed": b"m",
}


def _file(file: Attached) -> bytes:
    """Return a file as a part of its own."""
    how = "inline" if file.content_id else "attachment"
    shown_by = (f"Content-ID: <{file.content_id}>",) if file.content_id else ()
    head = (
        f"Content-Type: {file.type}",
        f"Content-Disposition: {how};\r\n {_file_name(file.name)}",
        *shown_by,
        "Content-Transfer-Encoding: base64",
        "\r\n",
    )
    return "\r\n".join(head).encode() + file.lines


def _file_name(name: str) -> str:
    """Return a file's name as a parameter (RFC 2183), in pieces where it is long (RFC 2231)."""
    if _FILE_NAME.fullmatch(name):
        return f'filename="{name}"'
    pieces = list(_percent_encoded(name))
    if len(pieces) == 1:
        return f"filename*=utf-8''{pieces[0]}"
    first, *others = pieces
    numbered = (f"filename*{number}*={piece}" for number, piece in enumerate(others, 1))
    return ";\r\n ".join((f"filename*0*=utf-8''{first}", *numbered))


def _percent_encoded(name: str) -> Iterator[str]:
    """Encode a name in pieces that fit into a line; no character is torn apart."""
    piece = ""
    for character in name:
        encoded = quote(character, safe="")
        if len(piece) + len(encoded) > _PIECE_CHARS:
            yield piece
            piece = ""
        piece += encoded
    yield piece


def _part(text: str, subtype: bytes) -> bytes:
    encoding, lines = _encoded(_LINE_END.sub("\n", text))
    head = b"Content-Type: text/%b; charset=utf-8\r\nContent-Transfer-Encoding: %b\r\n\r\n"
    return head % (subtype, encoding) + lines.replace(b"\n", b"\r\n")


def _encoded(text: str) -> tuple[bytes, bytes]:
    raw = text.encode()
    if len(text) * 4 >= len(raw) * 3:
        return b"quoted-printable", b2a_qp(raw, istext=True)
    return b"base64", encodebytes(raw)
