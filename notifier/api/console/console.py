"""The console: which pages it has, and what each is given."""

from collections.abc import Sequence

from starlette.routing import Route

from notifier.access.invitations import Invitations
from notifier.access.issuing import Issuer
from notifier.access.throttling import Throttle
from notifier.api.console import (
    audit,
    branding,
    categories,
    corrections,
    dead_letters,
    health,
    keys,
    operators,
    people,
    providers,
    replays,
    senders,
    suppressions,
    topics,
    workers,
)
from notifier.api.console.account import AccountPages
from notifier.api.console.authoring.comparing import ComparingPages
from notifier.api.console.authoring.editing import EditorPages
from notifier.api.console.authoring.listing import TemplatePages
from notifier.api.console.authoring.places import SECTION as TEMPLATES
from notifier.api.console.authoring.publishing import PublishingPages
from notifier.api.console.authoring.settings import SettingsPages
from notifier.api.console.authoring.trying import TryingPages
from notifier.api.console.broadcasts import words as broadcasting
from notifier.api.console.broadcasts.pages import BroadcastPages
from notifier.api.console.broadcasts.sending import SendingPages
from notifier.api.console.gates import make_gates
from notifier.api.console.layout import Group, Layout
from notifier.api.console.notifications import searching as notifications
from notifier.api.console.notifications.contents import Contents
from notifier.api.console.notifications.forwarding import ForwardingPage
from notifier.api.console.notifications.moving import MovingPages
from notifier.api.console.notifications.showing import NotificationPages
from notifier.api.console.overview import pages as overview
from notifier.api.console.overview.following import OverviewStream
from notifier.api.console.overview.looking import Onlooker
from notifier.api.console.overview.series import OverviewSeries
from notifier.api.console.people_forms import PeopleForms
from notifier.api.console.routes import console_routes
from notifier.api.console.rules.editing import RuleEditor
from notifier.api.console.rules.listing import RulePages
from notifier.api.console.rules.places import SECTION as RULES
from notifier.api.console.rules.publishing import RulePublishing
from notifier.api.console.schedules import pages as schedules
from notifier.api.console.schedules.editing import ScheduleForm
from notifier.api.console.topic_forms import TopicForms
from notifier.api.console.visits import ConsolePage
from notifier.api.kit.access import Doorkeeper
from notifier.api.kit.auditing import Auditor
from notifier.api.kit.config import ApiConfig
from notifier.api.kit.rooms import Room
from notifier.api.making import Common
from notifier.api.notifications.exporting import Exporter
from notifier.api.ports import ApiPorts
from notifier.api.suppressions import Lifter
from notifier.intake.forwarding import Forwarder
from notifier.replays.correcting import Corrector

_GROUPS = (
    Group(
        "Traffic",
        (
            overview.SECTION,
            notifications.SECTION,
            dead_letters.SECTION,
            replays.SECTION,
            broadcasting.SECTION,
            schedules.SECTION,
        ),
    ),
    Group(
        "Authoring",
        (TEMPLATES, RULES, categories.SECTION, branding.SECTION, senders.SECTION),
    ),
    Group(
        "People",
        (
            people.SECTION,
            topics.SECTION,
            suppressions.SECTION,
        ),
    ),
    Group(
        "System",
        (
            health.SECTION,
            workers.SECTION,
            providers.SECTION,
            keys.SECTION,
            operators.SECTION,
            audit.SECTION,
        ),
    ),
)


def console(
    ports: ApiPorts, config: ApiConfig, common: Common, doorkeeper: Doorkeeper, auditor: Auditor
) -> Sequence[Route]:
    """Return the routes of the console."""
    pages = (
        *_overview(ports, config),
        *_of_notifications(ports, common, doorkeeper),
        *_of_dead_letters(ports, common),
        *_of_authoring(ports, common),
        *_of_schedules(ports, common),
        *_of_broadcasts(ports, common),
        *suppressions.SuppressedPages(
            suppressions=ports.suppressions,
            lifter=Lifter(suppressions=ports.suppressions, pepper=config.pepper),
        ).pages(),
        *_of_people(ports, config),
        *keys.KeyPages(
            keys=ports.keys, issuer=Issuer(ports.keys, ports.clock, config.pepper)
        ).pages(),
        *_of_accounts(ports, config, common),
        *_of_operators(ports, config),
        *health.HealthPages(ports.watching.examine).pages(),
        *workers.WorkerPages(ports.watching.roster).pages(),
        *audit.AuditPages(ports.keeping.audit).pages(),
    )
    layout = Layout(ports.pages, _GROUPS)
    return console_routes(pages, make_gates(ports, config, layout, doorkeeper, auditor), auditor)


def _overview(ports: ApiPorts, config: ApiConfig) -> Sequence[ConsolePage]:
    onlooker = Onlooker(
        queries=ports.queries,
        queue=ports.queue,
        providers=ports.providers,
        statistics=ports.keeping.statistics,
        roster=ports.watching.roster,
        routes=config.routes,
        clock=ports.clock,
        patience_s=config.probe_timeout_s,
    )
    stream = OverviewStream(
        onlooker=onlooker,
        places=Room(config.max_console_streams, config.max_console_streams_each),
        clock=ports.clock,
        lifetime_s=config.stream_lifetime_s,
        keep_alive_s=config.stream_keep_alive_s,
    )
    series = OverviewSeries(ports.keeping.statistics, ports.clock)
    return (*overview.OverviewPage(onlooker).pages(), *stream.pages(), *series.pages())


def _of_people(ports: ApiPorts, config: ApiConfig) -> Sequence[ConsolePage]:
    shown = people.PeoplePages(
        people=ports.people,
        history=ports.choice_history,
        erasures=ports.keeping.erasures,
        default_zone=config.default_zone,
        new_id=ports.new_id,
    )
    told = (*topics.TopicPages(ports.topics).pages(), *TopicForms(ports.topics).pages())
    changed = PeopleForms(
        people=ports.people, preferences=ports.preferences, declared=ports.categories
    )
    return (*shown.pages(), *changed.pages(), *told)


def _of_notifications(
    ports: ApiPorts, common: Common, doorkeeper: Doorkeeper
) -> Sequence[ConsolePage]:
    search = notifications.SearchPages(
        queries=ports.queries,
        exporter=Exporter(queries=ports.queries, doorkeeper=doorkeeper),
        clock=ports.clock,
    )
    each = NotificationPages(
        queries=ports.queries,
        suppressions=ports.suppressions,
        audit=ports.keeping.audit,
        contents=Contents(common.library, ports.renderer),
    )
    moving = MovingPages(queries=ports.queries, orders=ports.orders)
    forwarding = ForwardingPage(
        queries=ports.queries,
        forwarder=Forwarder(ports.queries, common.library, common.drafter),
        submitter=ports.submitter,
    )
    return (*search.pages(), *each.pages(), *moving.pages(), *forwarding.pages())


def _of_operators(ports: ApiPorts, config: ApiConfig) -> Sequence[ConsolePage]:
    access = ports.access
    theirs = operators.OperatorPages(
        operators=access.operators,
        sessions=access.sessions,
        invitations=Invitations(config.pepper),
        clock=ports.clock,
    )
    own = AccountPages(
        operators=access.operators,
        sessions=access.sessions,
        passwords=access.passwords,
        throttle=Throttle(access.failures, config.pepper),
    )
    return (*theirs.pages(), *own.pages())


def _of_accounts(ports: ApiPorts, config: ApiConfig, common: Common) -> Sequence[ConsolePage]:
    return providers.AccountsPages(
        providers=ports.providers,
        routes=config.routes,
        bench=ports.bench,
        testing=common.testing,
    ).pages()


def _of_broadcasts(ports: ApiPorts, common: Common) -> Sequence[ConsolePage]:
    sending = SendingPages(
        broadcasts=ports.broadcasts, announcer=common.announcer, new_id=ports.new_id
    )
    # Before what is at an id.
    return (*sending.pages(), *BroadcastPages(ports.broadcasts).pages())


def _of_dead_letters(ports: ApiPorts, common: Common) -> Sequence[ConsolePage]:
    mending = ports.mending
    forwarder = Forwarder(ports.queries, common.library, common.drafter)
    corrector = Corrector(mending.letters, forwarder, ports.clock)
    letters = dead_letters.DeadLetterPages(
        letters=mending.letters, replays=mending.replays, new_id=ports.new_id
    )
    return (
        *letters.pages(),
        *corrections.CorrectionPage(corrector).pages(),
        *replays.ReplayPages(mending.replays).pages(),
    )


def _of_authoring(ports: ApiPorts, common: Common) -> Sequence[ConsolePage]:
    bench = common.bench
    every = (
        TemplatePages(bench),
        EditorPages(bench),
        SettingsPages(bench),
        ComparingPages(bench),
        PublishingPages(bench),
        TryingPages(common.template_tester, ports.submitter),
        RulePages(common.rule_desk),
        RuleEditor(common.rule_desk, ports.events),
        RulePublishing(common.rule_desk),
        branding.BrandPages(brands=ports.brands, library=common.library, cascader=bench.cascader),
        categories.CategoryPages(ports.categories, common.categories),
        senders.SenderPages(store=ports.senders, senders=common.senders),
    )
    return [page for pages in every for page in pages.pages()]


def _of_schedules(ports: ApiPorts, common: Common) -> Sequence[ConsolePage]:
    scheduling = ports.scheduling
    form = ScheduleForm(
        schedules=scheduling.schedules, planner=common.planner, templates=ports.templates
    )
    pages = schedules.SchedulePages(
        schedules=scheduling.schedules,
        planner=common.planner,
        maker=common.maker,
        firing=scheduling.firing,
    )
    return (*form.pages(), *pages.pages())
