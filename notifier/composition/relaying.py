"""What a relay does, put together."""

from collections.abc import Sequence
from dataclasses import replace

from notifier.audience.erasure import erasing
from notifier.audience.inbox import waking
from notifier.broadcasts.announcing import Announcer
from notifier.broadcasts.expanding import BroadcastDuties
from notifier.broadcasts.looking import Onlooker
from notifier.broadcasts.pacing import ExpansionPace
from notifier.broadcasts.roll import Roll
from notifier.channels.registry import retry_policies
from notifier.composition.drafting import make_drafter
from notifier.composition.events import make_reactor
from notifier.composition.resources import (
    Resources,
    retention_terms,
)
from notifier.composition.stores import Stores
from notifier.delivery.duties import DeliveryDuties, RelayPace
from notifier.delivery.ports import RescuePolicy
from notifier.duty import Duty, purging
from notifier.events.digesting import DigestDuty
from notifier.hooks.calling import Hooks
from notifier.hooks.following import following
from notifier.hooks.moments import Moment
from notifier.intake.drafting import Drafter
from notifier.notification.model import Channel
from notifier.notification.retention import retaining
from notifier.notification.statistics import tallying
from notifier.replays.stepping import ReplayDuties
from notifier.schedules.clocks import Clocks
from notifier.schedules.firing import FiringPace, Maker, ScheduleDuties
from notifier.settings.groups import Settings
from notifier.worker.relay import Relay


def delivery_duties(settings: Settings, resources: Resources) -> DeliveryDuties:
    """Return what a relay does for notifications."""
    return DeliveryDuties(
        upkeep=resources.stores.upkeep,
        dead_letters=resources.stores.dead_letters,
        queue=resources.queue,
        publisher=resources.publisher,
        rescue={
            channel: RescuePolicy(max_attempts=policy.max_attempts, on_unknown=policy.on_unknown)
            for channel, policy in retry_policies(settings).items()
        },
        pace=RelayPace(
            due_every_s=settings.relay.due_every_s, repair_every_s=settings.relay.repair_every_s
        ),
    )


def broadcast_duties(settings: Settings, resources: Resources) -> BroadcastDuties:
    """Return what a relay does for broadcasts."""
    stores = resources.stores
    return BroadcastDuties(
        stores.expansion,
        Roll(stores.topics, stores.people, stores.topic_zones),
        Onlooker(drafter_of(settings, resources)),
        ExpansionPace(most_waiting=settings.relay.broadcasts_ahead),
    )


def schedule_duties(settings: Settings, resources: Resources) -> ScheduleDuties:
    """Return what a relay does for schedules."""
    stores = resources.stores
    drafter = drafter_of(settings, resources)
    roll = Roll(stores.topics, stores.people, stores.topic_zones)
    return ScheduleDuties(
        stores.firing,
        Maker(drafter=drafter, announcer=Announcer.over(roll, drafter)),
        Clocks(drafter.audience, stores.topic_zones),
        FiringPace(
            every_s=settings.relay.schedules_every_s, most_waiting=settings.relay.broadcasts_ahead
        ),
    )


def drafter_of(settings: Settings, resources: Resources) -> Drafter:
    """Return what checks what duties accept."""
    # The API looked at what is on: a runner may have turned off what others send.
    made = make_drafter(settings, resources.stores, resources.clock)
    return replace(made, channels=frozenset(Channel))


def make_relay(
    settings: Settings, resources: Resources, delivery: DeliveryDuties, hooks: Hooks
) -> Relay:
    """Return a relay that does those duties and others, and has the stores forget what is old."""
    stores = resources.stores
    return Relay(
        [
            *delivery.all(),
            *broadcast_duties(settings, resources).all(),
            *schedule_duties(settings, resources).all(),
            *ReplayDuties(stores.replaying).all(),
            purging(stores.once, "keys"),
            purging(stores.receipts, "receipts"),
            waking(stores.inbox),
            purging(stores.caps, "caps"),
            purging(stores.schedules, "schedules"),
            purging(stores.audit, "audit"),
            purging(stores.sessions, "sessions"),
            purging(stores.sign_in_failures, "sign_in_failures"),
            purging(stores.replays, "replays"),
            purging(stores.roster, "processes"),
            *_event_duties(settings, resources),
            stores.filing.duty(),
            retaining(stores.purge, retention_terms(settings)),
            *([erasing(stores.erasing)] if stores.erasing else []),
            tallying(stores.statistics),
            purging(stores.statistics, "statistics"),
            *_following(stores, hooks),
        ]
    )


def _event_duties(settings: Settings, resources: Resources) -> Sequence[Duty]:
    stores = resources.stores
    reactor = make_reactor(resources, drafter_of(settings, resources))
    return (
        *DigestDuty(stores.digests, reactor, resources.event_tally).all(),
        purging(stores.event_store, "events"),
        purging(stores.digests, "digests"),
    )


def _following(stores: Stores, hooks: Hooks) -> Sequence[Duty]:
    if not hooks.want(Moment.ACCEPTED, Moment.FINAL):
        return ()
    return (following(hooks, stores.feed, stores.cursors),)
