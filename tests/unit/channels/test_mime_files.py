"""Files in a mail: what was attached is what is read, whatever it holds and is called."""

from email.message import EmailMessage, MIMEPart
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.channels.email.mime import compose
from notifier.content.files import MAX_NAME_CHARS, clean_name
from notifier.delivery.attaching import base64_lines
from notifier.notification.mail import Attached
from tests.servers.messages import ManualClock, a_message
from tests.unit.channels.test_mime import SENDER, read

NAMES = (
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=MAX_NAME_CHARS)
    .map(clean_name)
    .filter(bool)
)


def a_file(
    content: bytes = b"%PDF-1",
    name: str = "a.pdf",
    type: str = "application/pdf",
    content_id: str | None = None,
) -> Attached:
    lines = base64_lines(content)
    return Attached(name=name, type=type, size=len(content), content_id=content_id, lines=lines)


LOGO = a_file(b"\x89PNG" + bytes(300), "logo.png", "image/png", "logo.png")


def mail(*files: Attached, html: str | None = None, text: str = "Hello") -> EmailMessage:
    message = a_message(text=text, html=html, attached=files)
    return read(compose(message, SENDER, ManualClock().now()).content)


def shape(part: MIMEPart) -> object:
    if not part.is_multipart():
        return part.get_content_type()
    return (part.get_content_subtype(), *(shape(each) for each in part.iter_parts()))


def parts(message: EmailMessage) -> list[EmailMessage]:
    return [each for each in message.walk() if not each.is_multipart()]


@pytest.mark.parametrize(
    ("html", "files", "expected"),
    [
        (None, (), "text/plain"),
        ("<p>", (), ("alternative", "text/plain", "text/html")),
        (None, (a_file(),), ("mixed", "text/plain", "application/pdf")),
        (
            "<p>",
            (a_file(),),
            ("mixed", ("alternative", "text/plain", "text/html"), "application/pdf"),
        ),
        (
            "<p>",
            (LOGO,),
            ("alternative", "text/plain", ("related", "text/html", "image/png")),
        ),
        (
            "<p>",
            (a_file(), LOGO, a_file()),
            (
                "mixed",
                ("alternative", "text/plain", ("related", "text/html", "image/png")),
                "application/pdf",
                "application/pdf",
            ),
        ),
        (None, (LOGO,), ("mixed", "text/plain", "image/png")),
    ],
)
def test_a_mail_has_the_parts_that_it_needs_and_no_others(
    html: str | None, files: tuple[Attached, ...], expected: object
) -> None:
    assert shape(mail(*files, html=html)) == expected


def test_what_html_shows_says_how_it_is_called_and_what_is_related_to_it() -> None:
    message = mail(a_file(), LOGO, html='<img src="cid:logo.png">')

    *_, html, logo, pdf = parts(message)
    assert logo["content-id"] == "<logo.png>"
    assert logo.get_content_disposition() == "inline"
    assert (pdf["content-id"], pdf.get_content_disposition()) == (None, "attachment")
    related = next(each for each in message.walk() if each.get_content_subtype() == "related")
    # RFC 2387 3.1: its type is that of the part to begin with.
    assert related["content-type"].params["type"] == html.get_content_type() == "text/html"


@given(content=st.binary(max_size=600), name=NAMES)
def test_a_file_is_read_as_it_was_attached(content: bytes, name: str) -> None:
    *_, file = parts(mail(a_file(content, name)))

    assert file.get_filename() == name
    assert file.get_payload(decode=True) == content


@given(
    text=st.text(st.characters(codec="utf-8", exclude_characters="\r\x00")),
    content=st.binary(max_size=600),
    name=NAMES,
)
def test_the_wire_holds_short_lines_of_ascii(text: str, content: bytes, name: str) -> None:
    files = (a_file(content, name), LOGO)
    message = a_message(text=text, html=text, attached=files)

    wire = compose(message, SENDER, ManualClock().now()).content

    *lines, dot, nothing = wire.split(b"\r\n")
    assert (dot, nothing) == (b".", b"")
    assert wire.isascii()
    assert all(len(line) <= 100 and line != b"." for line in lines)
    assert not any(b"\r" in line or b"\n" in line for line in lines)


def test_no_content_ends_a_part_early() -> None:
    message = a_message()
    boundaries = [f"\n--=_{mark}{message.id.hex}" for mark in ("", "r", "m")]
    for inside, end in product(boundaries, ("", "--")):
        read_again = parts(mail(a_file(), LOGO, html=f"<p>{inside}{end}\n", text=f"{inside}{end}"))

        text, html, *files = read_again
        assert text.get_content() == f"{inside}{end}"
        assert html.get_content() == f"<p>{inside}{end}\n"
        assert len(files) == 2


def test_bytes_of_a_mail_with_a_text_and_a_file() -> None:
    message = a_message(text="Hello", html=None, attached=(a_file(b"x" * 60, "Größe.pdf"),))

    wire = compose(message, SENDER, ManualClock().now()).content

    mark = f"=_m{message.id.hex}".encode()
    assert wire.partition(b"MIME-Version: 1.0\r\n")[2] == b"\r\n".join(
        [
            b'Content-Type: multipart/mixed; boundary="' + mark + b'"',
            b"",
            b"--" + mark,
            b"Content-Type: text/plain; charset=utf-8",
            b"Content-Transfer-Encoding: quoted-printable",
            b"",
            b"Hello",
            b"--" + mark,
            b"Content-Type: application/pdf",
            b"Content-Disposition: attachment;",
            b" filename*=utf-8''Gr%C3%B6%C3%9Fe.pdf",
            b"Content-Transfer-Encoding: base64",
            b"",
            b"eHh4" * 19,
            b"eHh4",
            b"",
            b"--" + mark + b"--",
            b".",
            b"",
        ]
    )
