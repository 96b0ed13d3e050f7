"""Subscriber tokens: what is signed is read again, and nothing else is."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from notifier.access import keys
from notifier.access.subscribers import Subscriber, SubscriberTokens, is_token

PEPPER = b"a pepper for the length of a test"
ADA = Subscriber(
    service="orders",
    recipient="ada/ßü\u4e2d",
    key_id="k" * 16,
    expires_at=datetime(2027, 1, 31, 18, tzinfo=UTC),
)


def test_a_token_says_whose_it_is() -> None:
    tokens = SubscriberTokens(PEPPER)

    assert tokens.read(tokens.sign(ADA)) == ADA
    assert SubscriberTokens(PEPPER).read(tokens.sign(ADA)) == ADA


def test_a_token_is_told_from_a_key_and_fits_into_a_header() -> None:
    longest = SubscriberTokens(PEPPER).sign(replace(ADA, recipient="\U0001f600" * 200))

    assert is_token(longest)
    assert longest.isascii()
    assert not is_token(keys.mint().text)


def test_a_token_under_another_pepper_is_none() -> None:
    assert SubscriberTokens(PEPPER + b"!").read(SubscriberTokens(PEPPER).sign(ADA)) is None


def test_whose_it_is_cannot_be_changed() -> None:
    tokens = SubscriberTokens(PEPPER)
    body, signature = tokens.sign(ADA).split(".")
    other, of_other = tokens.sign(replace(ADA, recipient="bob")).split(".")

    for forged in (f"{other}.{signature}", f"{body}.{of_other}", f"{body}.", body, f"{body}.x"):
        assert tokens.read(forged) is None


@pytest.mark.parametrize(
    "text", ["", "nts_", "nts_.", "nts_\xe9.\xe9", "ntf_x.y", "nts_" + "a" * 9_999]
)
def test_what_is_no_token_is_none(text: str) -> None:
    assert SubscriberTokens(PEPPER).read(text) is None
