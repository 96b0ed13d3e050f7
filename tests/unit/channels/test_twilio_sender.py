import pytest

from notifier.channels.sms.twilio.sender import is_messaging_service, parse_sms_sender

SID = f"MG{'0f' * 16}"


@pytest.mark.parametrize(
    ("sender", "taken"),
    [
        ("+15005550006", "+15005550006"),
        ("+1 (500) 555-0006", "+15005550006"),
        (" +49 170 1234567 ", "+491701234567"),
        ("12345", "12345"),
        ("772255", "772255"),
        (SID, SID),
        ("My Brand", "My Brand"),
        ("A", "A"),
        ("4you", "4you"),
        ("B&B_Hotel-1", "B&B_Hotel-1"),
        ("MGmotors", "MGmotors"),
    ],
)
def test_a_sender_that_twilio_takes(sender: str, taken: str) -> None:
    assert parse_sms_sender(sender) == taken
    assert is_messaging_service(taken) == (taken == SID)


@pytest.mark.parametrize(
    "sender",
    [
        "",
        "My Brand with 15",
        "+15005",
        "+05005550006",
        "15005550006",
        "491701234567",
        "12",
        "123456789",
        "Grüße",
        "Shop!",
        "Shop\nBcc",
        "+++",
        "12 34 56",
        SID[:-1],
        f"{SID}0",
        "MGabcdefabcdefabcdef",
        "+491701234567890123",
        "\u0661\u0662\u0663\u0664",
    ],
)
def test_any_other_sender_is_refused_with_what_is_taken(sender: str) -> None:
    with pytest.raises(ValueError, match="expected a number") as refused:
        parse_sms_sender(sender)

    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("sender", ["whatsapp:+14155238886", "messenger:1234", "rcs:brand"])
def test_other_channels_of_twilio_are_no_senders_of_sms(sender: str) -> None:
    with pytest.raises(ValueError, match="only SMS is sent"):
        parse_sms_sender(sender)
