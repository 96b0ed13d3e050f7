"""Which endpoints the API has, and what each is given."""

from collections.abc import Sequence

import orjson
from starlette.responses import Response

from notifier.access.subscribers import SubscriberTokens
from notifier.api.attachments import AttachmentEndpoints
from notifier.api.broadcasts.endpoints import BroadcastEndpoints
from notifier.api.categories.endpoints import CategoryEndpoints
from notifier.api.events.digests import DigestEndpoints
from notifier.api.events.endpoints import EventEndpoints
from notifier.api.inbox.marking import InboxMarking
from notifier.api.inbox.reading import InboxReading
from notifier.api.inbox.tokens import InboxTokens
from notifier.api.inbox_stream import InboxFeed
from notifier.api.kit.access import Doorkeeper
from notifier.api.kit.calls import Call
from notifier.api.kit.config import ApiConfig
from notifier.api.kit.openapi import Description
from notifier.api.kit.operations import Operation, Reply
from notifier.api.kit.rooms import Room
from notifier.api.making import Common
from notifier.api.metrics import Metrics
from notifier.api.notifications.exporting import ExportEndpoint, Exporter
from notifier.api.notifications.forwarding import ForwardingEndpoint
from notifier.api.notifications.moving import MovingEndpoints
from notifier.api.notifications.paths import location
from notifier.api.notifications.reading import ReadingEndpoints
from notifier.api.notifications.sending import SendingEndpoints
from notifier.api.operating import operations_for_operators
from notifier.api.pages import page_operations
from notifier.api.ports import ApiPorts
from notifier.api.public.endpoints import ChoosingEndpoints, Limits
from notifier.api.receipts import ReceiptDesk, ReceiptEndpoints
from notifier.api.recipients.batching import RecipientBatches
from notifier.api.recipients.explaining import ExplainEndpoint
from notifier.api.recipients.importing import RecipientImports
from notifier.api.recipients.merging import RecipientMerges
from notifier.api.recipients.preferences import PreferenceEndpoints
from notifier.api.recipients.writing import RecipientEndpoints
from notifier.api.replays.correcting import CorrectionEndpoint
from notifier.api.replays.endpoints import ReplayEndpoints
from notifier.api.replays.letters import LetterEndpoints
from notifier.api.rules.desk import RuleDesk
from notifier.api.rules.reading import RuleReading
from notifier.api.rules.rehearsing import RuleRehearsing
from notifier.api.rules.writing import RuleWriting
from notifier.api.sandbox import SandboxEndpoints
from notifier.api.schedules.endpoints import ScheduleEndpoints
from notifier.api.senders import SenderEndpoints
from notifier.api.suppressions import Lifter, SuppressionEndpoints
from notifier.api.templates.branding import Branding
from notifier.api.templates.reading import TemplateReading
from notifier.api.templates.testing import TemplateTesting
from notifier.api.templates.writing import TemplateWriting
from notifier.api.topics.endpoints import TopicEndpoints
from notifier.audience.category import Categories
from notifier.content.library import Library
from notifier.events.desk import EventDesk
from notifier.events.reacting import Reactor
from notifier.intake.drafting import Drafter
from notifier.intake.forwarding import Forwarder
from notifier.replays.correcting import Corrector


def all_operations(
    ports: ApiPorts,
    config: ApiConfig,
    common: Common,
    doorkeeper: Doorkeeper,
    tokens: SubscriberTokens,
    feed: InboxFeed,
    *,
    metrics: Metrics | None,
) -> Sequence[Operation]:
    """Declare all endpoints."""
    library, categories, drafter = common.library, common.categories, common.drafter
    reactor = common.rule_desk.rehearser.reactor
    found: list[Operation] = [
        *_on_notifications(ports, config, doorkeeper, library, drafter),
        *_on_inboxes(ports, config, doorkeeper, tokens, feed),
        *operations_for_operators(ports, config, common),
        *_on_templates(ports, common),
        *_on_attachments(ports, config),
        *SenderEndpoints(store=ports.senders, senders=common.senders).operations(),
        *_on_people(ports, config, categories, library),
        *_on_schedules(ports, common),
        *_on_events(ports, config, doorkeeper, reactor),
        *_on_rules(common.rule_desk),
        *_on_callbacks(ports, config),
        *page_operations("/console" if config.has_console else "/docs"),
    ]
    if metrics:
        found.append(metrics.operation())
    found += _for_development(ports, config, library)
    return [*found, _openapi_operation(found)]


def _on_notifications(
    ports: ApiPorts, config: ApiConfig, doorkeeper: Doorkeeper, library: Library, drafter: Drafter
) -> Sequence[Operation]:
    sending = SendingEndpoints(
        drafter=drafter,
        submitter=ports.submitter,
        max_batch_bytes=config.max_batch_bytes,
        doorkeeper=doorkeeper,
    )
    reading = ReadingEndpoints(queries=ports.queries, library=library)
    exporting = ExportEndpoint(Exporter(queries=ports.queries, doorkeeper=doorkeeper))
    moving = MovingEndpoints(orders=ports.orders)
    forwarder = Forwarder(ports.queries, library, drafter)
    forwarding = ForwardingEndpoint(forwarder=forwarder, submitter=ports.submitter)
    return (
        *sending.operations(),
        *reading.operations(),
        *exporting.operations(),
        *moving.operations(),
        *forwarding.operations(),
        *_on_dead_letters(ports, forwarder),
    )


def _on_dead_letters(ports: ApiPorts, forwarder: Forwarder) -> Sequence[Operation]:
    letters, replays = ports.mending.letters, ports.mending.replays
    return (
        *LetterEndpoints(letters=letters).operations(),
        *CorrectionEndpoint(Corrector(letters, forwarder, ports.clock)).operations(),
        *ReplayEndpoints(replays=replays, letters=letters, new_id=ports.new_id).operations(),
    )


def _on_templates(ports: ApiPorts, common: Common) -> Sequence[Operation]:
    bench = common.bench
    testing = TemplateTesting(
        tester=common.template_tester, submitter=ports.submitter, location=location
    )
    branding = Branding(brands=ports.brands, library=common.library, cascader=bench.cascader)
    return (
        *TemplateReading(bench=bench).operations(),
        *TemplateWriting(bench=bench).operations(),
        *testing.operations(),
        *branding.operations(),
    )


def _on_rules(desk: RuleDesk) -> Sequence[Operation]:
    return (
        *RuleReading(rules=desk.rules, reviewer=desk.reviewer).operations(),
        *RuleWriting(desk=desk).operations(),
        *RuleRehearsing(desk=desk).operations(),
    )


def _on_people(
    ports: ApiPorts, config: ApiConfig, categories: Categories, library: Library
) -> Sequence[Operation]:
    batches = RecipientBatches(people=ports.people, max_batch_bytes=config.max_batch_bytes)
    declaring = CategoryEndpoints(store=ports.categories, categories=categories)
    suppressing = SuppressionEndpoints(
        suppressions=ports.suppressions,
        lifter=Lifter(suppressions=ports.suppressions, pepper=config.pepper),
    )
    return (
        # Before the paths of people: whoever asks what can be done here is told of this.
        *batches.operations(),
        *RecipientImports(people=ports.people).operations(),
        *RecipientEndpoints(people=ports.people).operations(),
        *_on_preferences(ports, config, library),
        *declaring.operations(),
        *RecipientMerges(people=ports.people).operations(),
        *TopicEndpoints(topics=ports.topics).operations(),
        *suppressing.operations(),
        *_on_links(ports, config, categories),
    )


def _on_preferences(ports: ApiPorts, config: ApiConfig, library: Library) -> Sequence[Operation]:
    preferences = PreferenceEndpoints(
        people=ports.people,
        declared=ports.categories,
        preferences=ports.preferences,
        history=ports.choice_history,
        default_zone=config.default_zone,
    )
    explaining = ExplainEndpoint(
        people=ports.people,
        declared=ports.categories,
        suppressions=ports.suppressions,
        caps=ports.caps,
        library=library,
        clock=ports.clock,
        default_zone=config.default_zone,
    )
    return (*preferences.operations(), *explaining.operations())


def _on_schedules(ports: ApiPorts, common: Common) -> Sequence[Operation]:
    schedules = ScheduleEndpoints(
        schedules=ports.scheduling.schedules,
        planner=common.planner,
        maker=common.maker,
        firing=ports.scheduling.firing,
    )
    broadcasts = BroadcastEndpoints(broadcasts=ports.broadcasts, announcer=common.announcer)
    return (*broadcasts.operations(), *schedules.operations())


def _on_links(ports: ApiPorts, config: ApiConfig, categories: Categories) -> Sequence[Operation]:
    return ChoosingEndpoints(
        links=ports.links,
        choosing=ports.choosing,
        categories=categories,
        brands=ports.brands,
        channels=config.channels,
        limits=Limits.of(config, ports.clock),
    ).operations()


def _on_attachments(ports: ApiPorts, config: ApiConfig) -> Sequence[Operation]:
    return AttachmentEndpoints(
        attachments=ports.attachments,
        filing=ports.filing,
        limits=config.attachments,
        new_id=ports.new_id,
        upload_timeout_s=config.upload_timeout_s,
    ).operations()


def _on_inboxes(
    ports: ApiPorts,
    config: ApiConfig,
    doorkeeper: Doorkeeper,
    tokens: SubscriberTokens,
    feed: InboxFeed,
) -> Sequence[Operation]:
    reading = InboxReading(
        inbox=ports.inbox,
        config=config,
        feed=feed,
        doorkeeper=doorkeeper,
        streams=Room(config.max_streams, max(1, config.max_streams // 2)),
        tabs=Room(config.max_streams, config.max_streams_per_inbox),
    )
    marking = InboxMarking(inbox=ports.inbox, clock=ports.clock)
    making = InboxTokens(tokens=tokens, clock=ports.clock)
    return (*making.operations(), *reading.operations(), *marking.operations())


def _on_events(
    ports: ApiPorts, config: ApiConfig, doorkeeper: Doorkeeper, reactor: Reactor
) -> Sequence[Operation]:
    desk = EventDesk(
        store=ports.events,
        reacting=ports.reacting or reactor,
        submitter=ports.submitter,
        tally=ports.event_tally,
        new_id=ports.new_id,
    )
    events = EventEndpoints(
        desk=desk,
        store=ports.events,
        doorkeeper=doorkeeper,
        max_batch_bytes=config.max_batch_bytes,
    )
    return (*events.operations(), *DigestEndpoints(digests=ports.digests).operations())


def _on_callbacks(ports: ApiPorts, config: ApiConfig) -> Sequence[Operation]:
    desk = ReceiptDesk(
        ports.receipts,
        patience_s=config.callback_patience_s,
        max_waiting=config.max_waiting_callbacks,
    )
    return ReceiptEndpoints(
        routes=config.callbacks, desk=desk, body_timeout_s=config.callback_timeout_s
    ).operations()


def _for_development(ports: ApiPorts, config: ApiConfig, library: Library) -> Sequence[Operation]:
    if ports.captures is None:
        return ()
    sandbox = SandboxEndpoints(
        captures=ports.captures,
        queries=ports.queries,
        library=library,
        allowed_hosts=config.allowed_hosts,
    )
    return sandbox.operations()


def _openapi_operation(others: Sequence[Operation]) -> Operation:
    async def openapi(call: Call[None, None]) -> Response:
        root: str = call.request.scope.get("root_path", "")
        served = {**await description.document(), "servers": [{"url": root or "/"}]}
        return Response(orjson.dumps(served), media_type="application/json")

    operation = Operation(
        id="openapi",
        method="GET",
        path="/openapi.json",
        summary="This description (OpenAPI 3.1)",
        tag="Pages",
        serve=openapi,
        replies={200: Reply(description="The document")},
    )
    description = Description([*others, operation])
    return operation
