from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time
from typing import cast
from uuid import uuid4

import pytest

from notifier.audience.category import Cap, Span
from notifier.audience.quiet_hours import QuietHours
from notifier.delivery.addressing import Addressed, Addresser
from notifier.delivery.ports import Claimed, Leases
from notifier.notification.model import Addressee, Channel, Lane
from notifier.notification.outcomes import Deferred, Suppressed, Withheld
from tests.audience import KeptAudience, a_category, a_person

MIDNIGHT = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
"""In Vienna it is half past midnight."""
NEWS = Addressee(user_id="u-7", category="news")


class Midnight:
    """A clock that stands still."""

    def now(self) -> datetime:
        return MIDNIGHT

    def monotonic_s(self) -> float:
        return 0


@dataclass
class Redirections:
    """What was given another address; what is `barred` is on the suppression list."""

    barred: frozenset[str] = frozenset()
    to: list[str] = field(default_factory=list)

    async def redirect(self, _claimed: Claimed, recipient: str) -> bool:
        self.to.append(recipient)
        return recipient not in self.barred


@pytest.fixture
def kept() -> KeptAudience:
    kept = KeptAudience()
    kept.add(a_person())
    kept.declare(a_category("news"))
    return kept


def a_claimed(to: Addressee | None = NEWS, *, channel: Channel = Channel.EMAIL) -> Claimed:
    return Claimed(
        id=uuid4(),
        service="orders",
        channel=channel,
        lane=Lane.NORMAL,
        recipient="ada@example.org",
        content="Hello",
        subject="Hello",
        html=None,
        variables=None,
        sensitive=False,
        attempt=1,
        attempts_spent=1,
        lease_token=uuid4(),
        expires_in_s=None,
        addressee=to,
    )


async def addressed(
    kept: KeptAudience, claimed: Claimed, redirections: Redirections | None = None
) -> Addressed | Withheld:
    leases = cast(Leases, redirections or Redirections())
    clock = Midnight()
    return await Addresser(kept.audience(clock), leases, kept, clock).addressed(claimed)


@pytest.mark.parametrize("to", [None, Addressee(category="news")])
async def test_what_is_for_an_address_alone_asks_the_directory_nothing(
    kept: KeptAudience, to: Addressee | None
) -> None:
    claimed = a_claimed(to)

    assert await addressed(kept, claimed) == Addressed(claimed)
    assert kept.looks == 0


async def test_what_its_recipient_still_wants_goes_where_they_still_are(
    kept: KeptAudience,
) -> None:
    claimed, redirections = a_claimed(), Redirections()

    found = await addressed(kept, claimed, redirections)

    assert found == Addressed(claimed, kept.people_by_id["orders", "u-7"])
    assert redirections.to == []


async def test_who_moved_gets_it_at_their_new_address(kept: KeptAudience) -> None:
    kept.add(a_person(email="ada@new.example"))
    claimed, redirections = a_claimed(), Redirections()

    found = await addressed(kept, claimed, redirections)

    assert isinstance(found, Addressed)
    assert found.claimed == replace(claimed, recipient="ada@new.example")
    assert redirections.to == ["ada@new.example"]


async def test_nothing_goes_to_a_new_address_that_is_suppressed(kept: KeptAudience) -> None:
    kept.add(a_person(email="ada@new.example"))

    found = await addressed(kept, a_claimed(), Redirections(frozenset({"ada@new.example"})))

    assert isinstance(found, Suppressed)
    assert found.code == "suppression"


async def test_an_address_that_came_along_is_kept(kept: KeptAudience) -> None:
    kept.add(a_person(email=None))
    claimed = a_claimed(replace(NEWS, is_address_given=True))

    found = await addressed(kept, claimed)

    assert isinstance(found, Addressed)
    assert found.claimed == claimed


async def test_what_was_switched_off_meanwhile_is_suppressed(kept: KeptAudience) -> None:
    kept.add(a_person(choices={("news", "email"): False}))

    for to in (NEWS, replace(NEWS, is_address_given=True)):
        assert await addressed(kept, a_claimed(to)) == Suppressed(
            "choice", "its recipient switched news off for email"
        )


async def test_what_comes_up_at_night_waits_for_the_morning(kept: KeptAudience) -> None:
    kept.add(a_person(quiet_hours=QuietHours(time(22), time(7))))

    assert await addressed(kept, a_claimed()) == Deferred(
        "quiet_hours", "its recipient's quiet hours end at 2026-07-02 05:00 UTC", 6.5 * 3_600
    )


async def test_whoever_is_not_there_any_more_gets_nothing(kept: KeptAudience) -> None:
    gone = await addressed(kept, a_claimed(replace(NEWS, user_id="u-8")))
    kept.add(a_person(email=None, sms="+491701234567"))
    nowhere = await addressed(kept, a_claimed())

    assert isinstance(gone, Suppressed)
    assert isinstance(nowhere, Suppressed)
    assert (gone.code, nowhere.code) == ("unknown_user", "no_address")


async def test_what_is_more_than_its_recipient_gets_is_suppressed(kept: KeptAudience) -> None:
    kept.declare(a_category("news", cap=Cap(2, Span.DAY)))
    claimed = [a_claimed() for _ in range(3)]

    found = [await addressed(kept, each) for each in [*claimed, *claimed]]
    urgent = await addressed(kept, replace(a_claimed(), lane=Lane.HIGH))

    assert [isinstance(each, Addressed) for each in found] == [True, True, False] * 2
    assert isinstance(found[2], Suppressed)
    assert found[2].code == "cap"
    assert isinstance(urgent, Addressed)
