"""A provider that throttles is left alone for as long as it asks, at no cost of attempts."""

from contextlib import AsyncExitStack

from notifier.channels.sms.twilio.adapter import TwilioAdapter, TwilioConfig
from notifier.notification.model import Channel, Status
from notifier.providers.breaker import BreakerSettings
from tests.clock import SystemClock
from tests.faults.workers import Ways, open_site, relaying, working
from tests.servers.postgres import Postgres
from tests.servers.providers import Twilio, open_twilio

WORKERS = 2
SLOTS = 4
LIMIT_PER_S = 10
COUNT = 40
FRESH_S = 0.1
ON_THEIR_WAY = 2 * WORKERS * SLOTS
"""Calls of the other worker until it knows, too."""


def adapter_of(twilio: Twilio) -> TwilioAdapter:
    config = TwilioConfig(
        account_sid=twilio.account_sid,
        auth_token=twilio.auth_token,
        sender="+491700000000",
        base_url=twilio.base_url,
        max_connections=SLOTS,
    )
    return TwilioAdapter(config, SystemClock())


async def test_a_throttling_provider_is_not_asked_before_its_time_and_takes_everything(
    postgres: Postgres, amqp_url: str
) -> None:
    ways = Ways(slots=SLOTS, breakers=BreakerSettings(fresh_s=FRESH_S))
    async with open_twilio() as twilio, open_site(postgres, amqp_url) as site:
        twilio.limit_per_s = LIMIT_PER_S
        sent = await site.send(COUNT, channel=Channel.SMS, recipient="+491701234567")
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(relaying(site))
            for _ in range(WORKERS):
                routes = {Channel.SMS: [adapter_of(twilio)]}
                await stack.enter_async_context(working(site, routes, ways))
            states = await site.settled(COUNT)
        found = [await site.stores.get(envelope.id) for envelope in sent]

    assert states == {Status.SENT: COUNT}
    assert {each.attempts for each in found} == {1}
    calls = sorted(twilio.taken_at_s + twilio.throttled_at_s)
    rounds = -(-COUNT // LIMIT_PER_S)
    assert twilio.throttled_at_s
    # Each refusal meets only what was on its way when the provider began to throttle.
    assert len(twilio.throttled_at_s) <= rounds * ON_THEIR_WAY
    last_of_burst = [
        at_s
        for at_s, after_s in zip(twilio.throttled_at_s, twilio.throttled_at_s[1:], strict=False)
        if after_s - at_s > FRESH_S
    ]
    for at_s in last_of_burst:
        assert not [each for each in calls if at_s + 4 * FRESH_S < each < at_s + 0.9]
