"""What goes to a provider: the content of a claimed notification, filled."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from notifier.audience.links import ONE_CLICK, Chooser, Links
from notifier.audience.person import Person
from notifier.audience.recipient import compared
from notifier.content.filling import fill_html, fill_text
from notifier.content.library import Library
from notifier.content.ports import Offered, Renderer
from notifier.content.showing import shown_ids
from notifier.content.template import Rendered
from notifier.delivery.ports import Claimed
from notifier.errors import TemplateError
from notifier.notification.mail import AttachmentRef, MailDetails
from notifier.notification.model import Channel, Message, Notification, Pin
from notifier.notification.sms import SmsRules

MAX_RENDERED_CHARS = 1_000_000


@dataclass(frozen=True, slots=True)
class Composer:
    """Fills what notifications came with, and the templates that they are pinned to."""

    library: Library
    renderer: Renderer
    sms: SmsRules
    links: Links | None = None
    """None: they lead nowhere, and none are sent."""
    on_unlinked: Callable[[], None] = lambda: None
    """Is told of each mail that goes without a link that it should have."""

    async def message(self, claimed: Claimed, person: Person | None = None) -> Message:
        """Return what goes to a provider; `person` is whom it is for, where that is known.

        Raises:
            TemplateError: it cannot be filled.
            StoreUnavailableError: its template could not be read.
        """
        pin, links = claimed.template, self._links(claimed)
        if pin:
            rendered = await self._filled(claimed, pin, links, person)
        else:
            rendered = filled_inline(claimed)
        return Message(
            id=claimed.id,
            service=claimed.service,
            channel=claimed.channel,
            recipient=claimed.recipient,
            subject=rendered.subject,
            text=self._sent(claimed, rendered.text),
            html=rendered.html,
            sensitive=claimed.sensitive,
            attempt=claimed.attempt,
            metadata=claimed.metadata,
            lane=claimed.lane,
            mail=_with_one_click(await self._mail(claimed, rendered.html), claimed, links),
            action_url=rendered.action_url,
        )

    async def _mail(self, claimed: Claimed, html: str | None) -> MailDetails | None:
        """Return what its mail has besides its content: what its template shows, too."""
        shown = shown_ids(html) if claimed.template else frozenset()
        if not claimed.template or not shown:
            return claimed.mail
        version = await self.library.version(claimed.template.version_id)
        images = version.content.images if version else {}
        refs = [AttachmentRef(id, name) for name, id in images.items() if name in shown]
        mail = claimed.mail or MailDetails()
        return replace(mail, attachments=(*mail.attachments, *refs))

    def _sent(self, claimed: Claimed, text: str) -> str:
        return self.sms.sent(text) if claimed.channel is Channel.SMS else text

    def _links(self, claimed: Claimed) -> "_Links":
        """Return the links of a notification whose recipient may choose."""
        to = claimed.addressee
        if to is None or not to.category:
            return _Links()
        if self.links is None:
            if claimed.channel is Channel.EMAIL and not to.is_required:
                self.on_unlinked()
            return _Links()
        chooser = Chooser(
            service=claimed.service,
            channel=claimed.channel,
            category=to.category,
            user_id=to.user_id,
            recipient=None if to.user_id else compared(claimed.channel, claimed.recipient),
        )
        return _Links(
            unsubscribe="" if to.is_required else self.links.unsubscribe_url(chooser),
            preferences=self.links.preferences_url(chooser),
        )

    async def _filled(
        self, claimed: Claimed, pin: Pin, links: "_Links", person: Person | None
    ) -> Rendered:
        version = await self.library.version(pin.version_id)
        if version is None:
            raise TemplateError("the version of its template is not there any more")
        return await self.renderer.render(
            version,
            claimed.channel,
            locale=pin.locale,
            variables=claimed.variables or {},
            offered=Offered(
                notification={"id": str(claimed.id)},
                recipient=person.described if person else {},
                unsubscribe_url=links.unsubscribe,
                preferences_url=links.preferences,
            ),
        )


@dataclass(frozen=True, slots=True)
class _Links:
    """Links for one recipient; empty where there are none."""

    unsubscribe: str = ""
    preferences: str = ""


def _with_one_click(
    mail: MailDetails | None, claimed: Claimed, links: _Links
) -> MailDetails | None:
    """Let mail programs unsubscribe by themselves (RFC 8058), unless the send says how."""
    own = mail.headers if mail else {}
    if claimed.channel is not Channel.EMAIL or not links.unsubscribe or "List-Unsubscribe" in own:
        return mail
    added = {"List-Unsubscribe": f"<{links.unsubscribe}>", "List-Unsubscribe-Post": ONE_CLICK}
    return replace(mail or MailDetails(), headers={**own, **added})


def filled_inline(it: Claimed | Notification) -> Rendered:
    """Return what it came with, filled.

    Raises:
        TemplateError: it cannot be filled, or its content is gone.
    """
    if it.content is None:
        raise TemplateError("it has no content")
    if it.is_finished:
        return Rendered(text=it.content, subject=it.subject, html=it.html, action_url=it.action_url)
    most, variables = MAX_RENDERED_CHARS, it.variables or {}
    return Rendered(
        text=fill_text(it.content, variables, max_chars=most),
        subject=it.subject and fill_text(it.subject, variables, max_chars=most),
        html=it.html and fill_html(it.html, variables, max_chars=most),
        action_url=it.action_url and fill_text(it.action_url, variables, max_chars=most),
    )
