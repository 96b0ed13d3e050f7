"""Who is one with another is written to as that one."""

from uuid import UUID

import pytest

from tests.simulation.audience.joining import Joined, about_joined, two
from tests.simulation.providers import Call
from tests.simulation.run import kind_of


def joined() -> Joined:
    """Two that became one, and what was told of what was sent to the id of who went."""
    one = two(3.5, 0.25, 10)
    one.at_s = 9.0
    for nth, wish in enumerate(one.after):
        wish.told = UUID(int=nth + 1)
    return one


def call(nth: int, to: str) -> Call:
    return Call(UUID(int=nth), 1, "smtp", "worker", 10.0, to, "x")


def usual(one: Joined) -> list[Call]:
    """What goes to who stays of what came after: nothing of what either switched off."""
    return [call(1, one.addresses["email"]), call(2, one.addresses["sms"])]


def kinds(one: Joined, calls: list[Call]) -> set[str]:
    return set(map(kind_of, about_joined([one], calls)))


def test_what_goes_to_who_stays_is_right() -> None:
    one = joined()

    assert kinds(one, usual(one)) == set()


@pytest.mark.parametrize(
    ("nth", "to", "found"),
    [(1, "else@example.com", "misled"), (3, None, "overruled"), (4, None, "overruled")],
)
def test_what_goes_elsewhere_or_is_not_wanted_is_a_finding(
    nth: int, to: str | None, found: str
) -> None:
    one = joined()
    channel = one.after[nth - 1].body["type"]

    assert kinds(one, [*usual(one), call(nth, to or one.addresses[channel])]) == {found}


def test_what_leads_nowhere_is_a_finding() -> None:
    one = joined()
    assert kinds(one, usual(one)[:1]) == {"unled"}

    one.after[0].refusal, one.after[0].told = "unknown", None
    assert kinds(one, usual(one)[1:]) == {"misled"}

    one.at_s = None
    assert kinds(one, []) == {"unjoined"}
