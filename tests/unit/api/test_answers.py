"""What senders are answered is what the models say that describe it."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
import pytest

from notifier.api.kit.problems import InvalidField
from notifier.api.notifications.answers import (
    AcceptedView,
    BatchItemView,
    accepted,
    accepted_item,
    rejected_item,
)
from notifier.intake.ports import Submission
from notifier.notification.model import Channel, Lane
from notifier.notification.outcomes import DEFERRED, SUPPRESSED, Fault
from notifier.notification.sms import SmsEncoding, SmsSize

PLAIN = Submission(
    id=UUID("0198f2a4-7c1e-7bb2-9d5e-3f0d6c1a2b3c"),
    service="orders",
    channel=Channel.EMAIL,
    lane=Lane.NORMAL,
    recipient="anna@example.com",
    content="On its way.",
)
AT = datetime(2027, 1, 31, 17, 0, 0, 1_000, tzinfo=UTC)
SUBMISSIONS = {
    "plain": PLAIN,
    "sms": replace(PLAIN, channel=Channel.SMS, size=SmsSize(SmsEncoding.UCS2, 3), lane=Lane.HIGH),
    "unwanted": replace(PLAIN, withheld=Fault(kind=SUPPRESSED, code="choice", message="No.")),
    "put off": replace(
        PLAIN, withheld=Fault(kind=DEFERRED, code="quiet_hours", message="Later."), send_at=AT
    ),
    "local": replace(PLAIN, send_at=AT.astimezone(ZoneInfo("Europe/Vienna"))),
    "whole second": replace(PLAIN, send_at=AT.replace(microsecond=0)),
}


@pytest.mark.parametrize("name", SUBMISSIONS)
def test_what_is_accepted_is_answered_as_its_views_describe(name: str) -> None:
    answer, item = accepted(SUBMISSIONS[name]), accepted_item(SUBMISSIONS[name])

    view = AcceptedView.model_validate_json(orjson.dumps(answer))
    assert list(view.json_value().items()) == list(answer.items())
    shown = BatchItemView.model_validate_json(orjson.dumps(item))
    assert list(shown.json_value().items()) == list(item.items())


def test_what_is_rejected_is_answered_as_its_view_describes() -> None:
    item = rejected_item([InvalidField("/notifications/3/type", "expected one of ...")])

    view = BatchItemView.model_validate_json(orjson.dumps(item))
    assert orjson.dumps(view.json_value()) == orjson.dumps(item)
