"""Sessions of the console, and who can make one."""

from datetime import UTC, datetime, timedelta

import pytest

from notifier.access.sessions import IDLE_S, LONGEST_S, Session, SessionSecrets

NOW = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)
SESSION = Session.begun("an-id", NOW, key_id="a-key", source="192.0.2.1", agent="a browser")
SECRETS = SessionSecrets(b"a pepper")


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_a_cookie_names_its_session_and_the_session_does_not_tell_the_cookie() -> None:
    cookie, other = SECRETS.mint(), SECRETS.mint()

    assert cookie != other
    assert SECRETS.id_of(cookie) == SECRETS.id_of(cookie) != SECRETS.id_of(other)
    assert cookie not in str(SECRETS.id_of(cookie))
    assert SECRETS.id_of(cookie) != SessionSecrets(b"another pepper").id_of(cookie)


@pytest.mark.parametrize("cookie", ["", ".", "x" * 42, "x" * 44, "x" * 5_000])
def test_what_cannot_be_a_cookie_is_not_looked_up(cookie: str) -> None:
    assert SECRETS.id_of(cookie) is None


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


def test_what_a_browser_says_it_is_is_kept_in_part() -> None:
    session = Session.begun("an-id", NOW, source="192.0.2.1", agent="x" * 9_000)

    assert session.agent == "x" * 200


def test_the_token_of_a_form_is_of_one_session() -> None:
    token = SECRETS.form_token("an-id")

    assert SECRETS.is_form_token("an-id", token)
    assert not SECRETS.is_form_token("another-id", token)
    assert not SECRETS.is_form_token("an-id", "")
    assert not SessionSecrets(b"another pepper").is_form_token("an-id", token)
