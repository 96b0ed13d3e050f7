from base64 import urlsafe_b64decode
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.audience.links import Chooser
from notifier.notification.model import Channel
from notifier.sealing import SealedLinks

BASE = "https://mail.example.com"
OLD, NEW = b"an old secret of ours", b"a new secret of ours"
LINKS = SealedLinks(BASE, [NEW, OLD])
ADA = Chooser(
    service="shop", channel=Channel.EMAIL, category="newsletter", recipient="ada@example.com"
)

texts = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1)
choosers = st.builds(
    Chooser,
    service=texts,
    channel=st.sampled_from(Channel),
    category=texts,
    user_id=st.none() | texts,
    recipient=st.none() | texts,
)


def token_of(url: str) -> str:
    return url.removeprefix(f"{BASE}/u/")


@given(choosers)
def test_a_link_opens_as_whom_it_was_made_for(chooser: Chooser) -> None:
    token = token_of(LINKS.unsubscribe_url(chooser))

    assert LINKS.opened(token) == chooser


@given(choosers, choosers)
def test_two_links_are_the_same_for_the_same_addressee_alone(one: Chooser, other: Chooser) -> None:
    are_same = LINKS.unsubscribe_url(one) == LINKS.unsubscribe_url(other)

    assert are_same == (one == other)


@given(st.data())
def test_no_other_token_opens_however_little_it_differs(data: st.DataObject) -> None:
    token = token_of(LINKS.unsubscribe_url(ADA))
    place = data.draw(st.integers(0, len(token) - 1))
    char = data.draw(st.characters(codec="ascii").filter(lambda char: char != token[place]))

    assert LINKS.opened(token[:place] + char + token[place + 1 :]) is None
    assert LINKS.opened(token[:place]) is None
    assert LINKS.opened(token + char) is None


@given(st.text() | st.binary().map(lambda raw: raw.hex()))
def test_whatever_else_it_is_asked_for_opens_nothing(text: str) -> None:
    assert LINKS.opened(text) is None
    assert LINKS.opened("A" * 1_000_000) is None


@given(choosers)
def test_links_of_an_old_key_open_as_long_as_it_is_kept(chooser: Chooser) -> None:
    token = token_of(SealedLinks(BASE, [OLD]).unsubscribe_url(chooser))

    assert LINKS.opened(token) == chooser
    assert SealedLinks(BASE, [NEW]).opened(token) is None


def test_new_links_are_made_with_the_first_key() -> None:
    assert LINKS.unsubscribe_url(ADA) == SealedLinks(BASE, [NEW]).unsubscribe_url(ADA)
    assert LINKS.unsubscribe_url(ADA) != SealedLinks(BASE, [OLD]).unsubscribe_url(ADA)


def test_nothing_of_whom_it_is_for_can_be_read_in_a_link() -> None:
    url = LINKS.unsubscribe_url(ADA)
    token = token_of(url)
    raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))

    for word in ("shop", "email", "newsletter", "ada", "example.com"):
        assert word not in token
        assert word.encode() not in raw


def test_addressees_of_about_the_same_length_have_links_of_the_same_length() -> None:
    lengths = {
        len(LINKS.unsubscribe_url(replace(ADA, recipient=f"{'a' * n}@example.com")))
        for n in range(1, 13)
    }

    assert len(lengths) == 1


@pytest.mark.parametrize(
    ("chooser", "most"),
    [
        (ADA, 155),
        (
            Chooser(
                service="s" * 100,
                channel=Channel.IN_APP,
                category="c" * 100,
                user_id="u" * 200,
            ),
            650,
        ),
    ],
)
def test_a_link_is_no_longer_than_a_line_of_a_header_may_be(chooser: Chooser, most: int) -> None:
    url = LINKS.preferences_url(chooser)

    assert len(url) <= most
    assert url == LINKS.unsubscribe_url(chooser) + "#choices"
