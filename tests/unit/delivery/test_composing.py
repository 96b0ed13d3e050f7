"""Links to unsubscribe, in the headers and the content of what goes to a provider."""

from dataclasses import replace
from html import unescape
from typing import cast
from uuid import UUID, uuid4

import pytest

from notifier.audience.links import ONE_CLICK, Chooser
from notifier.channels.email.mime import compose
from notifier.content.library import Library, TemplateStore
from notifier.content.template import TemplateVersion
from notifier.delivery.composing import Composer
from notifier.delivery.ports import Claimed
from notifier.mailbox import Mailbox
from notifier.notification.mail import MailDetails
from notifier.notification.model import Addressee, Channel, Lane, Message, Pin
from notifier.notification.sms import SmsRules
from notifier.rendering.renderer import VersionRenderer
from notifier.sealing import SealedLinks
from tests.unit.rendering.making import NOW, StandingClock, email, version

LINKS = SealedLinks("https://notify.example.com", [b"a secret that seals links"])
NEWS = Addressee(category="news")
WITH_LINKS = version(
    email(
        text="Leave: {{ unsubscribe_url }} Choose: {{ preferences_url }}",
        html='<a href="{{ unsubscribe_url|url }}">Leave</a>',
    ),
    id=UUID(int=7),
)


class OneVersion:
    """A store of that version alone."""

    async def by_id(self, id: UUID) -> TemplateVersion | None:
        return WITH_LINKS if id == WITH_LINKS.id else None


COMPOSER = Composer(
    Library(cast(TemplateStore, OneVersion()), StandingClock()),
    VersionRenderer(StandingClock()),
    SmsRules(),
    LINKS,
)


def claimed(
    addressee: Addressee | None = NEWS,
    *,
    channel: Channel = Channel.EMAIL,
    pin: Pin | None = None,
    headers: dict[str, str] | None = None,
) -> Claimed:
    return Claimed(
        id=UUID(int=1),
        service="orders",
        channel=channel,
        lane=Lane.NORMAL,
        recipient="Ada@example.org",
        content="Hello",
        subject=None,
        html=None,
        variables=None,
        sensitive=False,
        attempt=1,
        attempts_spent=1,
        lease_token=uuid4(),
        expires_in_s=None,
        addressee=addressee,
        template=pin,
        mail=None if headers is None else MailDetails(headers=headers),
    )


PINNED = claimed(pin=Pin(WITH_LINKS.id, "en"))


def headers_of(message: Message) -> dict[str, str]:
    return dict(message.mail.headers) if message.mail else {}


async def test_a_mail_that_can_be_switched_off_lets_mail_programs_unsubscribe() -> None:
    message = await COMPOSER.message(claimed())

    ada = Chooser(
        service="orders", channel=Channel.EMAIL, category="news", recipient="ada@example.org"
    )
    assert headers_of(message) == {
        "List-Unsubscribe": f"<{LINKS.unsubscribe_url(ada)}>",
        "List-Unsubscribe-Post": ONE_CLICK,
    }
    mail = compose(message, Mailbox(name="", address="shop@example.org"), NOW).content.decode()
    assert f"\r\nList-Unsubscribe: <{LINKS.unsubscribe_url(ada)}>\r\n" in mail
    assert f"\r\nList-Unsubscribe-Post: {ONE_CLICK}\r\n" in mail


async def test_the_link_of_somebody_in_the_directory_is_for_them_whatever_their_address() -> None:
    message = await COMPOSER.message(claimed(replace(NEWS, user_id="u-7")))

    user = Chooser(service="orders", channel=Channel.EMAIL, category="news", user_id="u-7")
    assert headers_of(message)["List-Unsubscribe"] == f"<{LINKS.unsubscribe_url(user)}>"


@pytest.mark.parametrize(
    "other",
    [
        claimed(None),
        claimed(Addressee(user_id="u-7")),
        claimed(replace(NEWS, is_required=True)),
        claimed(channel=Channel.SMS),
    ],
    ids=["no category", "only a user", "required", "an SMS"],
)
async def test_what_cannot_be_switched_off_and_what_is_no_mail_has_no_such_header(
    other: Claimed,
) -> None:
    assert headers_of(await COMPOSER.message(other)) == {}


async def test_headers_that_the_send_brought_stay_as_they_are() -> None:
    own = {"List-Unsubscribe": "<https://shop.example/leave>", "X-Campaign": "spring"}

    assert headers_of(await COMPOSER.message(claimed(headers=own))) == own


async def test_a_template_is_offered_the_links_of_its_recipient() -> None:
    message = await COMPOSER.message(PINNED)

    url = headers_of(message)["List-Unsubscribe"].strip("<>")
    assert message.text == f"Leave: {url} Choose: {url}#choices"
    assert message.html is not None
    assert f'href="{url}"' in unescape(message.html)


async def test_what_is_required_offers_choices_and_no_unsubscribing() -> None:
    message = await COMPOSER.message(replace(PINNED, addressee=replace(NEWS, is_required=True)))

    assert message.text.startswith("Leave:  Choose: https://notify.example.com/u/")
    assert headers_of(message) == {}


async def test_what_should_have_a_link_and_has_none_is_told() -> None:
    told: list[str] = []
    composer = replace(COMPOSER, links=None, on_unlinked=lambda: told.append("unlinked"))

    for each in (claimed(None), claimed(replace(NEWS, is_required=True)), claimed()):
        await composer.message(each)

    assert told == ["unlinked"]


async def test_a_link_to_this_machine_may_do_without_tls() -> None:
    here = SealedLinks("http://127.0.0.1:8000", [b"a secret that seals links"])

    message = await replace(COMPOSER, links=here).message(PINNED)

    assert 'href="http://127.0.0.1:8000/u/' in unescape(str(message.html))


async def test_without_links_everything_is_sent_and_none_are_offered() -> None:
    message = await replace(COMPOSER, links=None).message(PINNED)

    assert message.text == "Leave:  Choose: "
    assert headers_of(message) == {}
