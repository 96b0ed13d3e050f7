"""What the API's endpoints and the console's pages both go by."""

from dataclasses import dataclass

from notifier.api.kit.config import ApiConfig
from notifier.api.kit.rooms import ConcurrencyLimit
from notifier.api.ports import ApiPorts
from notifier.api.providers.testing import Testing
from notifier.api.rules.desk import RuleDesk
from notifier.api.templates.images import ImageDesk
from notifier.api.templates.testing import TemplateTester
from notifier.api.templates.workbench import Workbench
from notifier.audience.category import Categories
from notifier.audience.resolving import Audience
from notifier.broadcasts.announcing import Announcer
from notifier.broadcasts.roll import Roll
from notifier.content.cascading import Cascader
from notifier.content.library import Library
from notifier.content.shared import Sharing
from notifier.events.reacting import Reactor
from notifier.events.rehearsing import Rehearser
from notifier.events.reviewing import Reviewer
from notifier.events.rules import RuleBook
from notifier.intake.attaching import Attacher
from notifier.intake.drafting import Drafter
from notifier.intake.pinning import Pinner
from notifier.intake.senders import Senders
from notifier.providers.testing import Tester
from notifier.schedules.clocks import Clocks
from notifier.schedules.firing import Maker
from notifier.schedules.planning import Planner

_MOST_AT_THE_WORKSHOP = 100
"""Of one service; more are answered 429."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What is valid, and what is made of it; what was looked up is kept once for all."""

    library: Library
    senders: Senders
    categories: Categories
    drafter: Drafter
    announcer: Announcer
    planner: Planner
    maker: Maker
    testing: Testing
    template_tester: TemplateTester
    rule_desk: RuleDesk

    @property
    def bench(self) -> Workbench:
        """Where templates are looked at."""
        return self.template_tester.bench


def make_common(ports: ApiPorts, config: ApiConfig) -> Common:
    """Make it for an API."""
    library = Library(ports.templates, ports.clock)
    senders = Senders(ports.senders, ports.clock)
    categories = Categories(ports.categories, ports.clock)
    audience = Audience(ports.directory, categories, config.default_zone)
    drafter = Drafter(
        clock=ports.clock,
        new_id=ports.new_id,
        channels=config.channels,
        pinner=Pinner(library, ports.renderer),
        senders=senders,
        markup=ports.markup,
        attacher=Attacher(ports.attachments, config.attachments),
        sms=config.sms,
        audience=audience,
    )
    zones = ports.scheduling.zones
    announcer = Announcer.over(Roll(ports.topics, ports.people, zones), drafter)
    clocks = Clocks(audience, zones)
    return Common(
        library=library,
        senders=senders,
        categories=categories,
        drafter=drafter,
        announcer=announcer,
        planner=Planner(new_id=ports.new_id, drafter=drafter, announcer=announcer, clocks=clocks),
        maker=Maker(drafter=drafter, announcer=announcer),
        testing=_testing(ports, config),
        template_tester=_template_tester(ports, config, library, drafter),
        rule_desk=_rule_desk(ports, drafter, announcer),
    )


def _template_tester(
    ports: ApiPorts, config: ApiConfig, library: Library, drafter: Drafter
) -> TemplateTester:
    sharing = Sharing(ports.brands, ports.templates, drafter.audience.categories)
    bench = Workbench(
        templates=ports.templates,
        library=library,
        sharing=sharing,
        cascader=Cascader(ports.templates, sharing, ports.workshop, ports.new_id),
        workshop=ports.workshop,
        images=ImageDesk(ports.attachments, config.attachments),
        turns=ConcurrencyLimit(1, _MOST_AT_THE_WORKSHOP, None),
        new_id=ports.new_id,
    )
    return TemplateTester(
        bench=bench,
        drafter=drafter,
        allowed=config.test_recipients,
        captured=config.captured,
    )


def _rule_desk(ports: ApiPorts, drafter: Drafter, announcer: Announcer) -> RuleDesk:
    book = RuleBook(ports.rules, ports.clock)
    reviewer = Reviewer(
        library=drafter.pinner.library,
        renderer=drafter.pinner.renderer,
        expressions=ports.expressions,
        categories=drafter.audience.categories,
        channels=drafter.channels,
    )
    return RuleDesk(
        rules=ports.rules,
        book=book,
        expressions=ports.expressions,
        reviewer=reviewer,
        rehearser=Rehearser(Reactor.over(book, ports.expressions, drafter, announcer)),
        new_id=ports.new_id,
    )


def _testing(ports: ApiPorts, config: ApiConfig) -> Testing:
    tester = Tester(
        bench=ports.bench,
        allowed=config.test_recipients,
        captured=config.captured,
        audit=ports.keeping.audit,
        pseudonyms=ports.keeping.pseudonyms,
        new_id=ports.new_id,
    )
    return Testing(tester, ports.clock)
