"""What takes events, and knows the rules for them."""

import asyncio
import socket

import structlog
from uuid_utils.compat import uuid7

from notifier.broadcasts.announcing import Announcer
from notifier.broadcasts.roll import Roll
from notifier.composition.resources import Resources, has_workers_inside
from notifier.events.arriving import Arrivals
from notifier.events.desk import EventDesk
from notifier.events.reacting import Reactor
from notifier.events.rules import RuleBook
from notifier.intake.drafting import Drafter
from notifier.intake.submission import Submitter
from notifier.queue.rabbitmq.connection import RabbitSettings
from notifier.queue.rabbitmq.event_queue import EventQueue
from notifier.rendering.expressions import ExpressionEngine
from notifier.settings.groups import Settings

log = structlog.get_logger(__name__)


async def taking_events(settings: Settings, resources: Resources, drafter: Drafter) -> None:
    """Take events from RabbitMQ until cancelled, if any are bound."""
    if not settings.events.bindings:
        await asyncio.Event().wait()
    arrivals = Arrivals(
        desk=EventDesk(
            store=resources.stores.event_store,
            reacting=make_reactor(resources, drafter),
            submitter=Submitter(resources.stores.intake, resources.publisher),
            tally=resources.event_tally,
            new_id=uuid7,
        ),
        owners=settings.events.services(),
    )
    queue = EventQueue(
        settings.broker_url.get_secret_value(),
        RabbitSettings(
            connection_name=f"notifier-events@{socket.gethostname()}",
            declare=settings.declare_topology,
        ),
        settings.events.bindings,
        arrivals.take,
    )
    await queue.run()


def warn_of_unbound_events(settings: Settings) -> None:
    """Say in the log that events are to be bound where there is no broker to bind them."""
    if settings.events.bindings and has_workers_inside(settings):
        log.warning(
            "events.not_bound",
            advice="NOTIFIER_EVENTS__BINDINGS needs RabbitMQ at NOTIFIER_BROKER_URL; "
            "with memory:// events come over HTTP alone",
        )


def make_reactor(resources: Resources, drafter: Drafter) -> Reactor:
    """Return what goes by the rules that are in force."""
    stores = resources.stores
    book = RuleBook(stores.rules, resources.clock)
    roll = Roll(stores.topics, stores.people, stores.topic_zones)
    return Reactor.over(book, ExpressionEngine(), drafter, Announcer.over(roll, drafter))
