import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.mailbox import Mailbox, parse_mailbox


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("shop@example.com", "", "shop@example.com"),
        ("notifier@localhost", "", "notifier@localhost"),
        ("<shop@example.com>", "", "shop@example.com"),
        ("Shop <shop@example.com>", "Shop", "shop@example.com"),
        ("Shop<shop@example.com> ", "Shop", "shop@example.com"),
        ("Shop < shop@example.com >", "Shop", "shop@example.com"),
        ('"Shop" <shop@example.com>', "Shop", "shop@example.com"),
        ('Shop "The Best" <shop@example.com>', "Shop The Best", "shop@example.com"),
        ('"Shop \\"The Best\\"" <shop@example.com>', 'Shop "The Best"', "shop@example.com"),
        ('"<Shop>" <shop@example.com>', "<Shop>", "shop@example.com"),
        ("Shop, Inc. <shop@example.com>", "Shop, Inc.", "shop@example.com"),
        ("Shop (Germany) <shop@example.com>", "Shop (Germany)", "shop@example.com"),
        ("shop@example.com (Shop)", "Shop", "shop@example.com"),
        ("Käthe & Söhne <shop@bücher.example>", "Käthe & Söhne", "shop@xn--bcher-kva.example"),
        ("=?utf-8?q?K=C3=A4the?= <shop@example.com>", "Käthe", "shop@example.com"),
        ("=?utf-8?b?S8OkdGhl?= =?utf-8?q?_x?= <a@b.example>", "Käthe x", "a@b.example"),
        ('"=?utf-8?q?K=C3=A4the?=" <shop@example.com>', "Käthe", "shop@example.com"),
        ("o'neil+x@example.com", "", "o'neil+x@example.com"),
        ("kää@example.com", "", "kää@example.com"),
    ],
)
def test_a_mailbox_is_read_as_mail_programs_write_it(text: str, name: str, address: str) -> None:
    assert parse_mailbox(text) == Mailbox(name, address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "shop",
        "<>",
        "Shop <>",
        "Shop <shop>",
        "Shop <shop@example.com",
        "shop@example.com>",
        "a@example.com, b@example.com",
        "A <a@example.com>, B <b@example.com>",
        "Shop <a@example.com> <b@example.com>",
        "Shop: a@example.com;",
        "Shop <mailto:shop@example.com>",
        "shop@example..com",
        "shop@.example.com",
        ".shop@example.com",
        "shop@exa mple.com",
        '"Shop <shop@example.com>',
        'Shop 15" <shop@example.com>',
        "=?utf-8?b?x?= <shop@example.com>",
        "=?no-charset?q?x?= <shop@example.com>",
        "=?utf-8?q?x=0D=0ABcc:_y?= <shop@example.com>",
        "Shop\r\nBcc: b@example.com <shop@example.com>",
        "Shop\x00 <shop@example.com>",
        "shop@bü..example",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected 'Name <name@domain>' or 'name@domain'"):
        parse_mailbox(text)


@given(st.text(max_size=40))
def test_whatever_is_given_is_read_or_refused(text: str) -> None:
    try:
        mailbox = parse_mailbox(text)
    except ValueError:
        return
    assert "@" in mailbox.address
    assert not any(character in mailbox.name + mailbox.address for character in "\r\n\0")
