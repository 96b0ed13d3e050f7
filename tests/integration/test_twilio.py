import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from notifier.channels.sms.twilio.adapter import TwilioAdapter, TwilioConfig
from notifier.errors import SettingsError
from notifier.notification.model import Channel
from notifier.notification.outcomes import Outcome, Permanent, Sent, Systemic, Transient, Unknown
from tests.patience import AT_ALL_S
from tests.servers.messages import MESSAGE_ID, ManualClock, a_message
from tests.servers.providers import (
    BreakOffAnswer,
    DropBeforeReading,
    Hold,
    Refuse,
    Twilio,
    open_twilio,
    twilio_refusal,
)

HASTY_S = 0.2
SMS = a_message(Channel.SMS, text="Grüße & +1 = 2? 🎉")


@pytest.fixture
async def twilio() -> AsyncIterator[Twilio]:
    async with open_twilio() as twilio:
        yield twilio


def a_config(twilio: Twilio) -> TwilioConfig:
    return TwilioConfig(
        account_sid=twilio.account_sid,
        auth_token=twilio.auth_token,
        sender="+15005550006",
        base_url=f"{twilio.base_url}/",
        timeout_s=AT_ALL_S,
    )


@pytest.fixture
async def adapter(twilio: Twilio) -> AsyncIterator[TwilioAdapter]:
    adapter = TwilioAdapter(a_config(twilio), ManualClock())
    yield adapter
    await adapter.close()


async def send_once(config: TwilioConfig) -> Outcome:
    adapter = TwilioAdapter(config, ManualClock())
    outcome = await adapter.send(SMS)
    await adapter.close()
    return outcome


async def test_the_form_says_all_that_is_needed_and_nothing_else(
    twilio: Twilio, adapter: TwilioAdapter
) -> None:
    outcome = await adapter.send(SMS)

    assert outcome == Sent(twilio.arrivals[0].provider_id)
    assert twilio.arrivals[0].fields == {
        "To": "+491701234567",
        "From": "+15005550006",
        "Body": "Grüße & +1 = 2? 🎉",
    }


async def test_a_messaging_service_is_named_as_such(twilio: Twilio) -> None:
    sid = f"MG{'0f' * 16}"
    await send_once(replace(a_config(twilio), sender=sid))

    assert twilio.arrivals[0].fields["MessagingServiceSid"] == sid
    assert "From" not in twilio.arrivals[0].fields


async def test_the_status_callback_carries_our_id(twilio: Twilio) -> None:
    base = "https://notify.example/callbacks/twilio/"

    await send_once(replace(a_config(twilio), status_callback_base_url=base))

    assert twilio.arrivals[0].fields["StatusCallback"] == f"{base}{MESSAGE_ID}"


async def test_messages_share_a_connection(twilio: Twilio, adapter: TwilioAdapter) -> None:
    for _ in range(3):
        await adapter.send(SMS)
        assert twilio.open_connections == 1


REFUSALS: list[tuple[int, int, type[Outcome], dict[str, object]]] = [
    (401, 20003, Systemic, {"code": "20003", "concerns_recipient": False}),
    (403, 20003, Systemic, {}),
    (429, 20429, Transient, {"throttled": True}),
    (429, 0, Transient, {"throttled": True, "code": "http 429"}),
    (400, 21211, Permanent, {"suppress": False}),
    (400, 21212, Systemic, {"concerns_recipient": True}),
    (400, 21408, Transient, {"throttled": False, "concerns_recipient": True}),
    (400, 21603, Systemic, {}),
    (400, 21606, Systemic, {}),
    (400, 21608, Transient, {"throttled": False, "concerns_recipient": True}),
    (400, 21609, Systemic, {}),
    (400, 21610, Permanent, {"suppress": True, "suppress_as": "unsubscribed"}),
    (400, 21611, Transient, {"throttled": True}),
    (400, 21612, Permanent, {}),
    (400, 21614, Permanent, {}),
    (400, 21635, Permanent, {}),
    (400, 30001, Transient, {"throttled": True}),
    (400, 30002, Systemic, {}),
    (400, 30003, Transient, {"retry_after_s": 1_800}),
    (400, 30005, Permanent, {}),
    (400, 30007, Permanent, {}),
    (400, 30008, Unknown, {}),
    (400, 30034, Systemic, {}),
    (400, 63038, Transient, {"throttled": True, "retry_after_s": 300}),
    (400, 99999, Transient, {"code": "99999", "concerns_recipient": True}),
    (404, 20404, Systemic, {}),
    (500, 20500, Unknown, {}),
    (503, 0, Unknown, {"code": "http 503"}),
    (307, 0, Systemic, {}),
    (200, 0, Unknown, {}),
]


@pytest.mark.parametrize(("status", "code", "verdict", "details"), REFUSALS)
async def test_a_refusal_is_judged_by_its_code_then_by_its_status(
    twilio: Twilio,
    adapter: TwilioAdapter,
    status: int,
    code: int,
    verdict: type[Outcome],
    details: dict[str, object],
) -> None:
    twilio.script(twilio_refusal(status, code, "no"))

    outcome = await adapter.send(SMS)

    assert isinstance(outcome, verdict)
    assert {name: getattr(outcome, name) for name in details} == details


async def test_a_wrong_token_is_systemic(twilio: Twilio) -> None:
    outcome = await send_once(replace(a_config(twilio), auth_token="wrong"))

    assert outcome == Systemic("20003", "Authenticate")


async def test_a_throttled_message_waits_as_long_as_twilio_asks(
    twilio: Twilio, adapter: TwilioAdapter
) -> None:
    twilio.script(twilio.throttle(17))

    assert await adapter.send(SMS) == Transient("20429", "Too Many Requests", 17, throttled=True)


async def test_a_message_that_failed_as_it_was_created_is_judged_by_its_code(
    twilio: Twilio, adapter: TwilioAdapter
) -> None:
    twilio.script(Refuse(201, {"sid": "SM1", "status": "failed", "error_code": 30005}))

    outcome = await adapter.send(SMS)

    assert isinstance(outcome, Permanent)
    assert outcome.code == "30005"


async def test_an_error_body_that_is_no_json_leaves_the_status(
    twilio: Twilio, adapter: TwilioAdapter
) -> None:
    twilio.script(Refuse(400, ["not", "an", "object"]))

    assert await adapter.send(SMS) == Transient("http 400", "", concerns_recipient=True)


async def test_an_id_or_code_that_is_none_is_not_repeated(
    twilio: Twilio, adapter: TwilioAdapter
) -> None:
    twilio.script(
        Refuse(201, {"sid": "to +491701234567", "error_code": None}),
        Refuse(400, {"code": "+491701234567", "message": 1}),
    )

    assert await adapter.send(SMS) == Sent(None)
    assert await adapter.send(SMS) == Transient("http 400", "", concerns_recipient=True)


async def test_a_reset_after_the_request_left_is_unknown(
    twilio: Twilio, adapter: TwilioAdapter
) -> None:
    twilio.script(DropBeforeReading())

    assert isinstance(await adapter.send(SMS), Unknown)


async def test_an_answer_that_breaks_off_counts_by_its_status(
    twilio: Twilio, adapter: TwilioAdapter
) -> None:
    twilio.script(BreakOffAnswer())

    assert await adapter.send(SMS) == Sent(None)
    assert len(twilio.arrivals) == 1


async def test_the_time_out_holds(twilio: Twilio) -> None:
    twilio.script(Hold())

    async with asyncio.timeout(AT_ALL_S):
        outcome = await send_once(replace(a_config(twilio), timeout_s=HASTY_S))

    assert isinstance(outcome, Unknown)
    assert outcome.code == "timeout"


def test_without_the_extra_the_advice_is_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "twilio.rest", None)

    with pytest.raises(SettingsError, match=r"pip install notifier\[twilio\]"):
        TwilioAdapter(
            TwilioConfig(account_sid="AC", auth_token="t", sender="+15005550006"), ManualClock()
        )


def test_an_account_without_a_sender_is_refused_at_the_start() -> None:
    with pytest.raises(SettingsError, match="sender"):
        TwilioAdapter(TwilioConfig(account_sid="AC", auth_token="t", sender=""), ManualClock())


def test_a_sender_that_twilio_does_not_take_is_refused_at_the_start() -> None:
    config = TwilioConfig(account_sid="AC", auth_token="t", sender="My Brand with 15")

    with pytest.raises(SettingsError, match="twilio sender: expected a number"):
        TwilioAdapter(config, ManualClock())


def test_a_config_does_not_show_its_token() -> None:
    config = TwilioConfig(account_sid="AC", auth_token="hunter2", sender="+15005550006")

    assert "hunter2" not in repr(config)
