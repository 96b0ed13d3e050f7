from dataclasses import replace
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.channels._outcomes import UnsendableError
from notifier.channels.email.mailbox import parse_sender
from notifier.channels.email.mime import compose
from notifier.mailbox import Mailbox
from notifier.notification.mail import MailDetails
from notifier.notification.model import Lane
from tests.servers.messages import ManualClock, a_message

SENDER = Mailbox("", "a@shop.example")
ANY_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"))
# What surrounds a header's text is not part of it.
ONE_LINE = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")), min_size=1
).filter(lambda text: text == text.strip())


def read(content: bytes) -> EmailMessage:
    """Read a mail as its receiver does, who takes dots and CRLF off first."""
    assert content.endswith(b"\r\n.\r\n")
    lines = content.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.").replace(b"\r\n", b"\n")
    message = message_from_bytes(lines, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


@given(text=ANY_TEXT, html=ANY_TEXT)
def test_what_was_written_is_what_is_read(text: str, html: str) -> None:
    content = compose(a_message(text=text, html=html), SENDER, ManualClock().now()).content

    assert [part.get_content() for part in read(content).iter_parts()] == [text, html]


@given(text=ANY_TEXT)
def test_a_text_alone_ends_in_a_line_end(text: str) -> None:
    content = compose(a_message(text=text), SENDER, ManualClock().now()).content

    assert read(content).get_content().removesuffix("\n") == text.removesuffix("\n")


@given(subject=ONE_LINE, text=ANY_TEXT)
def test_the_wire_holds_short_crlf_lines_of_ascii_and_no_dot_alone(subject: str, text: str) -> None:
    message = a_message(subject=subject, text=text, html=text)

    content = compose(message, SENDER, ManualClock().now()).content

    *lines, dot, nothing = content.split(b"\r\n")
    assert (dot, nothing) == (b".", b"")
    assert content.isascii()
    assert all(len(line) <= 100 and line != b"." for line in lines)
    assert not any(b"\r" in line or b"\n" in line for line in lines)


@given(subject=ONE_LINE)
def test_a_subject_adds_no_header_and_reads_as_it_was(subject: str) -> None:
    mail = read(compose(a_message(subject=subject), SENDER, ManualClock().now()).content)

    assert mail.keys().count("Subject") == 1
    assert len(mail.keys()) == 9
    assert mail["Subject"] == subject


@given(name=ONE_LINE.filter(lambda name: not set(name) & set('<>"')))
def test_a_sender_s_name_reads_as_it_was(name: str) -> None:
    sender = parse_sender(f"{name} <a@shop.example>")

    content = compose(a_message(), sender, ManualClock().now()).content

    # The new parser of Python 3.11 puts spaces between the encoded words of a name.
    read_name, read_address = parseaddr(message_from_bytes(content)["From"])
    assert str(make_header(decode_header(read_name))).split() == name.split()
    assert read_address == "a@shop.example"


def test_a_mail_without_a_subject_has_no_such_header() -> None:
    for subject in (None, ""):
        message = replace(a_message(), subject=subject)
        mail = read(compose(message, SENDER, ManualClock().now()).content)
        assert "Subject" not in mail


def test_the_headers_of_a_setting_go_into_the_mail() -> None:
    content = compose(a_message(), SENDER, ManualClock().now(), {"X-Set": "transactional"}).content

    assert read(content)["X-Set"] == "transactional"


def with_details(**changes: Any) -> bytes:
    message = replace(a_message(), mail=MailDetails(**changes))
    return compose(message, SENDER, ManualClock().now()).content


def test_a_mail_of_a_sender_is_from_it_and_replied_to_as_it_says() -> None:
    sender = Mailbox("B\N{LATIN SMALL LETTER U WITH DIAERESIS}ro, Orders", "orders@shop.example")
    message = replace(
        a_message(), mail=MailDetails(sender=sender, reply_to=Mailbox("Help", "help@x.example"))
    )

    mail = compose(message, SENDER, ManualClock().now())

    assert mail.sender == "orders@shop.example"
    read_mail = read(mail.content)
    assert parseaddr(str(read_mail["From"])) == (sender.name, sender.address)
    assert read_mail["Reply-To"] == "Help <help@x.example>"
    assert read_mail["Message-ID"] == f"<{message.id}@shop.example>"


def test_a_mail_without_details_is_from_the_setting_s_sender() -> None:
    mail = compose(replace(a_message(), mail=MailDetails()), SENDER, ManualClock().now())

    assert mail == compose(a_message(), SENDER, ManualClock().now())


@given(value=ONE_LINE)
def test_a_header_of_its_own_adds_no_other_and_reads_as_it_was(value: str) -> None:
    name = "X-" + "Long-" * 7 + "Tag"
    content = with_details(headers={name: value})

    mail = read(content)
    assert mail.keys().count(name) == 1
    assert len(mail.keys()) == 10
    assert mail[name] == value
    assert content.isascii()
    if not value.isascii():
        assert all(len(line) <= 76 for line in content.split(b"\r\n"))


def test_an_address_in_a_header_stays_whole_however_long_it_is() -> None:
    long = f"<https://shop.example/{'u' * 400}?a=?b>, <mailto:leave@shop.example>"
    content = with_details(headers={"List-Unsubscribe": long})

    first, second = long.split(" ")
    assert f"List-Unsubscribe: {first}\r\n {second}\r\n".encode() in content


@pytest.mark.parametrize(
    "control", ["\r\nBcc: e@x.io", "\n", "\r", "\0", "\x85", "\u2028", "\u2029"]
)
def test_details_that_would_end_a_line_are_not_sent(control: str) -> None:
    for changes in (
        {"sender": Mailbox(f"Shop{control}", "a@shop.example")},
        {"sender": Mailbox("Shop", f"a@shop.example{control}")},
        {"reply_to": Mailbox(f"Shop{control}", "a@shop.example")},
        {"headers": {"X-Tag": f"a{control}b"}},
        {"headers": {f"X-Tag{control}": "a"}},
    ):
        with pytest.raises(UnsendableError, match="control characters"):
            with_details(**changes)


@pytest.mark.parametrize(
    ("service", "list_id"),
    [
        ("orders", "<orders.shop.example>"),
        ("Order Mails_2", "<order-mails-2.shop.example>"),
        ("\N{PACKAGE}", "<bulk.shop.example>"),
        ("x" * 200, f"<{'x' * 63}.shop.example>"),
    ],
)
def test_a_bulk_mail_is_of_its_service_s_list(service: str, list_id: str) -> None:
    message = replace(a_message(), service=service, lane=Lane.BULK)

    assert read(compose(message, SENDER, ManualClock().now()).content)["List-Id"] == list_id


def test_a_mail_that_says_of_what_list_it_is_stays_of_that_one() -> None:
    details = MailDetails(headers={"List-Id": "<news.shop.example>"})
    message = replace(a_message(), lane=Lane.BULK, mail=details)

    mail = read(compose(message, SENDER, ManualClock().now()).content)

    assert mail.get_all("List-Id") == ["<news.shop.example>"]


def test_every_mail_says_once_that_nobody_typed_it_and_only_bulk_is_of_a_list() -> None:
    for lane in Lane:
        message = replace(a_message(), lane=lane, mail=MailDetails(headers={"X-A": "b"}))
        mail = read(compose(message, SENDER, ManualClock().now()).content)
        assert mail.get_all("Auto-Submitted") == ["auto-generated"]
        assert ("List-Id" in mail) is (lane is Lane.BULK)
