"""Links to set a password by: for whom, once, and for how long."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from notifier.access.invitations import HOLDS_S, Invitations
from notifier.access.operators import Operator, Role

NOW = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)
ANNA = Operator(login="anna", role=Role.VIEWER, service="orders", created_at=NOW)
INVITATIONS = Invitations(b"a pepper")
TOKEN = INVITATIONS.token(ANNA, NOW)


def test_a_link_lets_the_one_it_is_for_set_a_password_for_a_day() -> None:
    almost, over = (NOW + timedelta(seconds=HOLDS_S + it) for it in (-1, 0))

    assert INVITATIONS.login(TOKEN) == "anna"
    assert INVITATIONS.admits(TOKEN, ANNA, almost)
    assert not INVITATIONS.admits(TOKEN, ANNA, over)


def test_it_holds_once_and_not_for_who_is_let_in_no_longer_or_made_anew() -> None:
    for change in (
        replace(ANNA, password="a hash"),
        replace(ANNA, disabled_at=NOW),
        replace(ANNA, created_at=NOW + timedelta(seconds=1)),
        replace(ANNA, login="ben"),
    ):
        assert not INVITATIONS.admits(TOKEN, change, NOW)


def test_nobody_else_can_write_one() -> None:
    other = Invitations(b"another pepper")

    assert other.login(TOKEN) is None
    assert not other.admits(TOKEN, ANNA, NOW)
    assert INVITATIONS.login("a.b") is None
    assert not INVITATIONS.admits("", ANNA, NOW)
