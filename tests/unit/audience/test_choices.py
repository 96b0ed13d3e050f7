"""Choices: the closest one counts, and they are kept as they were made."""

from hypothesis import given
from hypothesis import strategies as st

from notifier.audience.choices import ANY, Choice, Choices
from notifier.notification.model import Channel

PLACES = st.tuples(st.sampled_from(["news", "offers", ANY]), st.sampled_from([*Channel, ANY]))
CHOICES = st.dictionaries(PLACES, st.booleans()).map(Choices)


def test_the_closest_choice_counts() -> None:
    chosen = Choices(
        {
            ("news", "email"): True,
            ("news", ANY): False,
            (ANY, "email"): False,
            (ANY, ANY): True,
        }
    )

    assert chosen.of("news", Channel.EMAIL) == Choice("news", "email", is_on=True)
    assert chosen.of("news", Channel.SMS) == Choice("news", ANY, is_on=False)
    assert chosen.of("offers", Channel.EMAIL) == Choice(ANY, "email", is_on=False)
    assert chosen.of("offers", Channel.SMS) == Choice(ANY, ANY, is_on=True)


def test_who_chose_nothing_of_it_leaves_it_to_the_category() -> None:
    assert Choices().of("news", Channel.EMAIL) is None
    assert Choices({("offers", ANY): False}).of("news", Channel.EMAIL) is None


def test_changes_put_choices_in_and_take_them_back() -> None:
    before = Choices({("news", "email"): False, ("news", "sms"): False})

    after = before.changed({("news", "email"): None, ("news", "sms"): True, (ANY, "sms"): False})

    assert list(after) == [Choice(ANY, "sms", is_on=False), Choice("news", "sms", is_on=True)]
    assert before.of("news", Channel.EMAIL) == Choice("news", "email", is_on=False)


def test_of_two_who_are_one_person_off_wins() -> None:
    one = Choices({("news", "email"): True, ("offers", ANY): False})
    two = Choices({("news", "email"): False, ("offers", ANY): True, (ANY, "sms"): True})

    merged = one.merged(two)

    assert merged == two.merged(one)
    assert list(merged) == [
        Choice(ANY, "sms", is_on=True),
        Choice("news", "email", is_on=False),
        Choice("offers", ANY, is_on=False),
    ]


@given(CHOICES)
def test_they_are_read_as_they_were_written(choices: Choices) -> None:
    assert Choices.decode(choices.encode()) == choices
    assert choices.changed({}).encode() == choices.encode()


def test_nothing_written_is_nothing_chosen() -> None:
    assert not Choices.decode(None)
    assert Choices.decode('{"news":{"*":false}}')
