"""One token for all, renewed before it ends: with a clock that is moved."""

import asyncio
from collections import deque

import pytest
from structlog.testing import capture_logs

from notifier.channels.email.smtp.oauth.tokens import AccessToken, NoToken, Tokens
from notifier.notification.outcomes import Systemic, Transient
from tests.servers.messages import ManualClock

HOUR_S = 3_600.0
AWAY = Transient("oauth_timeout", "the token endpoint: it cannot be reached")
REVOKED = Systemic("oauth_invalid_grant", "the token endpoint refuses")


class Issuer:
    """Numbers its tokens; fails as it is told, and waits where it is held."""

    def __init__(self) -> None:
        self.failures: deque[NoToken] = deque()
        self.lifetime_s = HOUR_S
        self.asked = 0
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def issue(self) -> AccessToken | NoToken:
        self.asked += 1
        number = self.asked
        await self.goes_on.wait()
        return self.failures.popleft() if self.failures else self._token(number)

    async def close(self) -> None:
        self.goes_on.set()

    def _token(self, number: int) -> AccessToken:
        return AccessToken(f"token-{number}", self.lifetime_s)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def issuer() -> Issuer:
    return Issuer()


def tokens_of(issuer: Issuer, clock: ManualClock, *, random: float = 0.0) -> Tokens:
    return Tokens(issuer, clock, lambda: random, "smtp")


async def settled() -> None:
    """Let what was begun in the background run as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_good_token_is_asked_for_once(issuer: Issuer, clock: ManualClock) -> None:
    tokens = tokens_of(issuer, clock)

    assert [await tokens.get() for _ in range(3)] == ["token-1"] * 3
    assert issuer.asked == 1


async def test_who_comes_while_one_is_asked_for_waits_for_the_same(
    issuer: Issuer, clock: ManualClock
) -> None:
    tokens = tokens_of(issuer, clock)
    issuer.goes_on.clear()
    waiting = [asyncio.create_task(tokens.get()) for _ in range(50)]
    await settled()
    waiting.pop().cancel()
    await settled()
    issuer.goes_on.set()

    assert set(await asyncio.gather(*waiting)) == {"token-1"}
    assert issuer.asked == 1


async def test_a_token_is_renewed_before_it_ends_and_nobody_waits(
    issuer: Issuer, clock: ManualClock
) -> None:
    tokens = tokens_of(issuer, clock)
    await tokens.get()

    clock.advance(HOUR_S - 301)
    assert await tokens.get() == "token-1"
    await settled()
    assert issuer.asked == 1
    clock.advance(2)
    issuer.goes_on.clear()
    assert [await tokens.get(), await tokens.get()] == ["token-1", "token-1"]
    await settled()
    assert issuer.asked == 2
    issuer.goes_on.set()
    await settled()
    assert await tokens.get() == "token-2"


async def test_processes_that_began_together_do_not_renew_together(
    issuer: Issuer, clock: ManualClock
) -> None:
    tokens = tokens_of(issuer, clock, random=0.8)
    await tokens.get()

    clock.advance(HOUR_S - 300 * 1.4 - 1)
    await tokens.get()
    await settled()
    assert issuer.asked == 1
    clock.advance(2)
    await tokens.get()
    await settled()
    assert issuer.asked == 2


@pytest.mark.parametrize("failure", [AWAY, REVOKED])
async def test_a_renewal_that_fails_while_the_token_is_good_changes_nothing(
    issuer: Issuer, clock: ManualClock, failure: NoToken
) -> None:
    tokens = tokens_of(issuer, clock)
    await tokens.get()
    clock.advance(HOUR_S - 200)
    issuer.failures.append(failure)

    with capture_logs() as logs:
        assert await tokens.get() == "token-1"
        await settled()
        assert await tokens.get() == "token-1"
        await settled()

    assert issuer.asked == 2  # not with every mail
    assert [(each["event"], each["good_for_s"]) for each in logs] == [("oauth.not_renewed", 200)]
    clock.advance(31)
    assert await tokens.get() == "token-1"
    await settled()
    assert await tokens.get() == "token-3"


async def test_a_token_that_has_ended_is_not_shown(issuer: Issuer, clock: ManualClock) -> None:
    tokens = tokens_of(issuer, clock)
    await tokens.get()
    issuer.failures.append(AWAY)
    clock.advance(HOUR_S)

    assert await tokens.get() == AWAY
    clock.advance(2)
    assert await tokens.get() == "token-3"


async def test_time_on_the_way_counts_as_part_of_a_life(issuer: Issuer, clock: ManualClock) -> None:
    tokens = tokens_of(issuer, clock)
    issuer.goes_on.clear()
    asking = asyncio.create_task(tokens.get())
    await settled()
    clock.advance(HOUR_S)
    issuer.goes_on.set()

    assert await asking == "token-1"
    assert await tokens.get() == "token-2"


async def test_a_short_life_leaves_time_to_be_used(issuer: Issuer, clock: ManualClock) -> None:
    issuer.lifetime_s = 60
    tokens = tokens_of(issuer, clock)
    await tokens.get()
    clock.advance(44)

    await tokens.get()
    await settled()
    assert issuer.asked == 1


async def test_a_failure_is_told_to_many_and_asked_about_once(
    issuer: Issuer, clock: ManualClock
) -> None:
    tokens = tokens_of(issuer, clock)
    issuer.failures.append(REVOKED)

    assert [await tokens.get() for _ in range(100)] == [REVOKED] * 100
    assert issuer.asked == 1


async def test_a_refused_token_is_replaced_once_for_all_who_were_refused(
    issuer: Issuer, clock: ManualClock
) -> None:
    tokens = tokens_of(issuer, clock)
    await tokens.get()

    found = await asyncio.gather(*(tokens.get(instead_of="token-1") for _ in range(10)))
    late = await tokens.get(instead_of="token-1")

    assert {*found, late} == {"token-2"}
    assert issuer.asked == 2


async def test_a_refused_token_that_cannot_be_replaced_stays_for_the_next(
    issuer: Issuer, clock: ManualClock
) -> None:
    tokens = tokens_of(issuer, clock)
    await tokens.get()
    issuer.failures.append(AWAY)

    assert await tokens.get(instead_of="token-1") == AWAY
    assert await tokens.get() == "token-1"


async def test_closing_ends_what_is_under_way(issuer: Issuer, clock: ManualClock) -> None:
    tokens = tokens_of(issuer, clock)
    issuer.goes_on.clear()
    asking = asyncio.create_task(tokens.get())
    await settled()

    await tokens.close()

    assert await asking == "token-1"


def test_a_token_is_not_shown_where_it_is_held() -> None:
    assert "hunter2" not in repr(AccessToken("hunter2", 1))
