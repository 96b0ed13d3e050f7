"""Whose fault Twilio says that it is, in answers and in status callbacks."""

import pytest
from uuid_utils import compat

from notifier.channels.refusals.blame import Blame
from notifier.channels.refusals.http import is_about_one
from notifier.channels.sms.twilio.receipts import twilio_receipt
from notifier.channels.sms.twilio.refusals import REFUSALS
from notifier.notification.outcomes import SuppressionReason
from tests.callbacks import status_form

OURS = ("20003", "21212", "21603", "21606", "21609", "21659", "21660", "21661", "21701", "21703",
        "21704", "21705", "30002", "30032", "30033", "30034", "63007")  # fmt: skip
RATES = ("20429", "21611", "14107", "30001", "30022", "30023", "30027", "63017", "63018", "63038")
ONE_NUMBERS_FOR_NOW = ("21408", "21608", "21215", "21216", "21219", "30003", "30018", "30017")
ONE_NUMBERS = ("21211", "21214", "21217", "21265", "21612", "21614", "21635", "30004", "30005",
               "30006", "63003", "63024")  # fmt: skip
MESSAGES = ("21602", "21605", "21617", "30007", "30019", "63013", "63016")


@pytest.mark.parametrize(
    ("codes", "blame"),
    [
        (OURS, Blame.OURS),
        (RATES, Blame.RATE),
        (ONE_NUMBERS_FOR_NOW, Blame.RECIPIENT_NOW),
        (ONE_NUMBERS, Blame.RECIPIENT),
        (MESSAGES, Blame.MESSAGE),
        (("21610",), Blame.OPTED_OUT),
        (("30008", "63023"), Blame.UNKNOWN),
    ],
)
def test_a_code_blames_whatever_status_comes_with_it(codes: tuple[str, ...], blame: Blame) -> None:
    assert {REFUSALS.ruling(status, code).blame for code in codes for status in (400, 429)} == {
        blame
    }


@pytest.mark.parametrize(
    ("status", "blame", "about_one"),
    [
        (400, Blame.RECIPIENT_NOW, True),
        (401, Blame.OURS, False),
        (403, Blame.OURS, True),
        (404, Blame.OURS, False),
        (422, Blame.RECIPIENT_NOW, True),
        (429, Blame.RATE, False),
        (301, Blame.OURS, False),
        (500, Blame.UNKNOWN, True),
    ],
)
def test_a_code_that_nobody_knows_is_judged_by_its_status(
    status: int, blame: Blame, *, about_one: bool
) -> None:
    assert REFUSALS.ruling(status, "99999").blame is blame
    assert is_about_one(status) is about_one


@pytest.mark.parametrize("code", sorted(REFUSALS.codes))
def test_only_who_opted_out_is_suppressed_by_a_callback(code: str) -> None:
    receipt = twilio_receipt(compat.uuid7(), status_form("undelivered", ErrorCode=code))

    assert receipt is not None
    assert (receipt.suppress_as is SuppressionReason.UNSUBSCRIBED) == (
        REFUSALS.codes[code].blame is Blame.OPTED_OUT
    )
