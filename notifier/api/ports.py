"""What the API works with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from notifier.access.keys import KeyStore
from notifier.access.openid import IdentityProvider, Newcomers
from notifier.access.operators import OperatorStore
from notifier.access.passwords import Passwords
from notifier.access.sessions import SessionStore
from notifier.access.throttling import FailureStore
from notifier.api.kit.page import Pages
from notifier.audience.caps import CapStore
from notifier.audience.category import CategoryStore
from notifier.audience.changing import PreferenceStore
from notifier.audience.choice_change import ChoiceHistory
from notifier.audience.choosing import Choosing
from notifier.audience.erasure import Erasures
from notifier.audience.inbox import Inbox
from notifier.audience.links import Links
from notifier.audience.person import Directory, PersonStore
from notifier.audience.pseudonym import Pseudonyms
from notifier.audience.suppression import SuppressionStore
from notifier.audience.topic import TopicStore, TopicZones
from notifier.audit import AuditLog
from notifier.broadcasts.broadcast import BroadcastStore
from notifier.checkup import Examine
from notifier.clock import Clock
from notifier.content.attachment import Attachments
from notifier.content.brand import BrandStore
from notifier.content.library import TemplateStore
from notifier.content.ports import Markup, Renderer, Workshop
from notifier.content.uploading import Filing
from notifier.events.counts import EventCounts, Tally
from notifier.events.digest import DigestStore
from notifier.events.event import EventStore, Reacting
from notifier.events.expressions import Expressions
from notifier.events.rules import RuleStore
from notifier.hooks.counts import HookCounts
from notifier.idempotency import Once
from notifier.intake.senders import SenderStore
from notifier.intake.submission import Submitter
from notifier.notification.orders import Orders
from notifier.notification.queueing import Queue, QueueMembers
from notifier.notification.reading import QueryStore
from notifier.notification.retention import RetentionRules
from notifier.notification.statistics import Statistics
from notifier.providers.account import ProviderStore
from notifier.providers.captures import Captures
from notifier.providers.receipt import ReceiptStore
from notifier.providers.trial import Bench
from notifier.replays.replay import Letters, ReplayStore
from notifier.roster import Roster
from notifier.schedules.due import Firing
from notifier.schedules.schedule import ScheduleStore


@dataclass(frozen=True, slots=True)
class KeepingPorts:
    """What says how long things are kept, whom to erase, who changed what, and what happened."""

    rules: RetentionRules
    erasures: Erasures
    pseudonyms: Pseudonyms
    audit: AuditLog
    statistics: Statistics


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Who says who people are, and what they may here for that."""

    provider: IdentityProvider
    newcomers: Newcomers


@dataclass(frozen=True, slots=True)
class OperatorPorts:
    """What knows the people who sign in to the console, and for how long they are."""

    operators: OperatorStore
    sessions: SessionStore
    failures: FailureStore
    passwords: Passwords
    elsewhere: Elsewhere | None = None
    """Where operators may sign in instead; None: nowhere."""


@dataclass(frozen=True, slots=True)
class MendingPorts:
    """What knows dead letters, and keeps replays of them."""

    letters: Letters
    replays: ReplayStore


@dataclass(frozen=True, slots=True)
class SchedulingPorts:
    """What keeps schedules, fires them, and knows by whose clocks."""

    schedules: ScheduleStore
    firing: Firing
    zones: TopicZones


@dataclass(frozen=True, slots=True)
class WatchingPorts:
    """What knows how notifier itself is: its processes, and every part that it needs."""

    roster: Roster
    examine: Examine


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiPorts:
    """What the API's endpoints work with.

    With `captures`, the sandbox page and its endpoint are mounted; they need no API key.
    `new_id` makes time-ordered ids (UUIDv7).
    """

    submitter: Submitter
    once: Once
    orders: Orders
    queries: QueryStore
    mending: MendingPorts
    keys: KeyStore
    access: OperatorPorts
    inbox: Inbox
    providers: ProviderStore
    receipts: ReceiptStore
    suppressions: SuppressionStore
    attachments: Attachments
    filing: Filing
    templates: TemplateStore
    brands: BrandStore
    senders: SenderStore
    topics: TopicStore
    broadcasts: BroadcastStore
    scheduling: SchedulingPorts
    events: EventStore
    digests: DigestStore
    event_counts: EventCounts
    event_tally: Tally
    """Of this process."""
    rules: RuleStore
    expressions: Expressions
    people: PersonStore
    preferences: PreferenceStore
    choice_history: ChoiceHistory
    caps: CapStore
    keeping: KeepingPorts
    renderer: Renderer
    workshop: Workshop
    markup: Markup
    queue: Queue
    clock: Clock
    new_id: Callable[[], UUID]
    directory: Directory
    categories: CategoryStore
    choosing: Choosing
    hook_counts: HookCounts
    watching: WatchingPorts
    bench: Bench
    pages: Pages
    """What fills the pages of the console."""
    reacting: Reacting | None = None
    """Instead of the rules."""
    captures: Captures | None = None
    links: Links | None = None
    """What opens links to unsubscribe by; None: there are none."""
    are_policies_ok: Callable[[], bool | None] = lambda: None
    """Whether the broker's policies are in effect; None if nobody could look."""
    clock_problem: Callable[[], str | None] = lambda: None
    """How far this machine's clock is off the database's; None while they agree."""
    queue_members: Callable[[], Sequence[QueueMembers]] = tuple
    """Which nodes of the broker's cluster hold the queues; empty if it is none, or nobody knows."""
