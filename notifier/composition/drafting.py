"""What makes submissions of drafts, where no API is."""

from zoneinfo import ZoneInfo

from uuid_utils.compat import uuid7

from notifier.audience.category import Categories
from notifier.audience.resolving import Audience
from notifier.channels.registry import channel_settings
from notifier.clock import Clock
from notifier.composition.resources import attachment_limits, sms_rules
from notifier.composition.stores import Stores
from notifier.content.library import Library
from notifier.intake.attaching import Attacher
from notifier.intake.drafting import Drafter
from notifier.intake.pinning import Pinner
from notifier.intake.senders import Senders
from notifier.rendering.markup import HtmlMarkup
from notifier.rendering.renderer import VersionRenderer
from notifier.settings.groups import Settings


def make_audience(settings: Settings, stores: Stores, clock: Clock) -> Audience:
    """Return what finds people, and what was declared for them."""
    zone = ZoneInfo(settings.audience.time_zone)
    return Audience(stores.directory, Categories(stores.categories, clock), zone)


def renderer(settings: Settings, clock: Clock) -> VersionRenderer:
    """Return what fills templates, with the clocks of who has none."""
    return VersionRenderer(clock, default_zone=settings.audience.time_zone)


def make_drafter(settings: Settings, stores: Stores, clock: Clock) -> Drafter:
    """Return what goes by the rules of the API."""
    return Drafter(
        clock=clock,
        new_id=uuid7,
        channels=frozenset(channel_settings(settings)),
        pinner=Pinner(Library(stores.templates, clock), renderer(settings, clock)),
        senders=Senders(stores.senders, clock),
        markup=HtmlMarkup(),
        attacher=Attacher(stores.attachments, attachment_limits(settings)),
        sms=sms_rules(settings),
        audience=make_audience(settings, stores, clock),
    )
