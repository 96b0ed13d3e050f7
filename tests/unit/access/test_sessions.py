"""Sessions of the console, and who can make one."""

from datetime import UTC, datetime, timedelta

import pytest

from notifier.access.sessions import IDLE_S, LONGEST_S, Session, Sessions
from notifier.access.subscribers import Subscriber, SubscriberTokens

NOW = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)
SESSION = Session.begun("a-key", NOW)
SESSIONS = Sessions(b"a pepper")


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_a_cookie_is_read_as_it_was_written() -> None:
    assert SESSIONS.session(SESSIONS.cookie(SESSION)) == SESSION


@pytest.mark.parametrize("cookie", ["", ".", "a.b", "ü.ü", "x" * 5_000])
def test_what_was_not_written_here_is_no_session(cookie: str) -> None:
    assert SESSIONS.session(cookie) is None


def test_nobody_can_prolong_a_session_or_take_another_signature() -> None:
    body, _, signature = SESSIONS.cookie(SESSION).partition(".")
    other = Sessions(b"another pepper").cookie(SESSION)
    token = SubscriberTokens(b"a pepper").sign(
        Subscriber(service="orders", recipient="anna", key_id="a-key", expires_at=NOW)
    )

    assert SESSIONS.session(f"{body}A.{signature}") is None
    assert SESSIONS.session(other) is None
    assert SESSIONS.session(token.removeprefix("nts_")) is None


def test_a_session_ends_when_it_is_not_used() -> None:
    assert not SESSION.has_ended(after(IDLE_S - 1))
    assert SESSION.has_ended(after(IDLE_S))


def test_a_session_that_is_used_goes_on_until_the_day_ends() -> None:
    session, seconds = SESSION, 0

    while not session.has_ended(after(seconds)):
        session = session.renewed(after(seconds)) or session
        seconds += IDLE_S // 2

    assert session.ends_at == after(LONGEST_S)
    assert session.began_at == NOW


def test_a_session_is_not_written_anew_for_every_request() -> None:
    assert SESSION.renewed(after(1)) is None


def test_the_token_of_a_form_is_of_one_session() -> None:
    token = SESSIONS.form_token(SESSION)

    assert SESSIONS.is_form_token(SESSION, token)
    assert not SESSIONS.is_form_token(Session.begun("another-key", NOW), token)
    assert not SESSIONS.is_form_token(Session.begun("a-key", after(1)), token)
    assert not SESSIONS.is_form_token(SESSION, "")
    assert not SESSIONS.is_form_token(SESSION, SESSIONS.cookie(SESSION).partition(".")[2])
