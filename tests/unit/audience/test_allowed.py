import pytest

from notifier.audience.allowed import AllowedRecipients
from notifier.audience.recipient import normalise
from notifier.errors import RecipientError
from notifier.notification.model import Channel

ALLOWED = AllowedRecipients.read(
    ["Ada@Example.com", "@Evently.example", "@bücher.example", "+49 170 1234567", "user-42"]
)


@pytest.mark.parametrize(
    ("channel", "recipient", "is_allowed"),
    [
        (Channel.EMAIL, "ada@EXAMPLE.com", True),
        (Channel.EMAIL, "bo@example.com", False),
        (Channel.EMAIL, "Anyone@evently.example", True),
        (Channel.EMAIL, "bo@bücher.example", True),
        (Channel.EMAIL, "bo@xn--bcher-kva.example", True),
        (Channel.EMAIL, "bo@team.evently.example", False),
        (Channel.EMAIL, "bo@notevently.example", False),
        (Channel.SMS, "+491701234567", True),
        (Channel.SMS, "+491701234568", False),
        (Channel.IN_APP, "user-42", True),
        (Channel.IN_APP, "User-42", False),
        (Channel.IN_APP, "a@evently.example", False),
    ],
)
def test_those_that_are_named_are_allowed_and_nobody_else(
    channel: Channel, recipient: str, *, is_allowed: bool
) -> None:
    assert ALLOWED.include(channel, normalise(channel, recipient)) is is_allowed


def test_of_none_nobody_is_allowed() -> None:
    nobody = AllowedRecipients()

    assert not nobody
    assert not nobody.include(Channel.EMAIL, "ada@example.com")


@pytest.mark.parametrize("entry", ["@", "@@", "@ example", "@a@b.example"])
def test_what_is_no_domain_is_refused(entry: str) -> None:
    with pytest.raises(RecipientError):
        AllowedRecipients.read([entry])
