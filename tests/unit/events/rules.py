"""Rules in memory, and a reactor over them: for tests that need no database."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from uuid_utils import compat

from notifier.content.attachment import AttachmentLimits
from notifier.content.template import Content
from notifier.events.event import Event
from notifier.events.planning import StepPlanner
from notifier.events.reacting import Reactor
from notifier.events.rule import Rule, RuleVersion
from notifier.events.rule_reading import read_rule
from notifier.events.rules import RuleBook, RuleStore
from notifier.intake.attaching import Attacher
from notifier.intake.drafting import Drafter
from notifier.intake.pinning import Pinner
from notifier.intake.senders import Senders
from notifier.notification.model import Channel, JsonValue
from notifier.notification.sms import SmsRules
from notifier.rendering.expressions import ExpressionEngine
from notifier.rendering.markup import HtmlMarkup
from notifier.rendering.renderer import VersionRenderer
from tests.audience import KeptAudience, a_person
from tests.files import KeptFiles
from tests.senders import KeptSenders
from tests.templates import KeptTemplates

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
ENGINE = ExpressionEngine()
SHIPPED = Content(
    default_locale="en",
    parts={
        "en": {
            Channel.EMAIL: {"subject": "Shipped: {{ order }}", "text": "{{ order }} is on its way"},
            Channel.IN_APP: {"text": "{{ order }} is on its way"},
        }
    },
    schema={"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]},
)
NEWS = replace(
    SHIPPED,
    parts={
        "en": {
            Channel.EMAIL: {
                "subject": "{{ count }} orders",
                "text": "{% for each in items %}{{ each.order }} {% endfor %}",
            }
        }
    },
    schema={
        "type": "object",
        "properties": {"count": {"type": "integer"}, "items": {"type": "array"}},
        "required": ["count", "items"],
    },
)
SEND = {"send": ["email"], "template": "shipped"}
IN_APP = {"send": ["in_app"], "template": "shipped"}
ORDER: dict[str, JsonValue] = {"user_id": "u-7", "order": "o-1", "total": 120}


class Still:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOW

    def monotonic_s(self) -> float:
        return 0


@dataclass
class KeptRules:
    """Versions in force, of the service `orders`."""

    versions: list[RuleVersion] = field(default_factory=list)

    async def in_force(self, service: str) -> Sequence[RuleVersion]:
        return [each for each in self.versions if each.service == service]

    async def by_id(self, id: UUID) -> RuleVersion | None:
        return next((each for each in self.versions if each.id == id), None)

    def add(self, name: str = "shipped", **changes: Any) -> RuleVersion:
        """Put a rule in force."""
        usual: dict[str, Any] = {"on": "order.shipped", "to": "data.user_id", "steps": [SEND]}
        rule = read_rule({**usual, **changes}, ENGINE.fault)
        assert isinstance(rule, Rule), rule
        version = RuleVersion(id=compat.uuid7(), service="orders", name=name, number=1, rule=rule)
        self.versions.append(version)
        return version


@dataclass
class World:
    """Everything that a reactor goes by."""

    rules: KeptRules = field(default_factory=KeptRules)
    people: KeptAudience = field(default_factory=KeptAudience)
    templates: KeptTemplates = field(default_factory=KeptTemplates)

    def __post_init__(self) -> None:
        self.people.add(a_person(), a_person("u-8", email=None))
        self.templates.publish("shipped", SHIPPED)
        self.templates.publish("news", NEWS)

    def reactor(self) -> Reactor:
        clock = Still()
        drafter = Drafter(
            clock=clock,
            new_id=compat.uuid7,
            channels=frozenset(Channel),
            pinner=Pinner(self.templates.library(), VersionRenderer(clock)),
            senders=Senders(KeptSenders(), clock),
            markup=HtmlMarkup(),
            attacher=Attacher(KeptFiles(), AttachmentLimits()),
            sms=SmsRules(),
            audience=self.people.audience(clock),
        )
        book = RuleBook(cast(RuleStore, self.rules), clock)
        return Reactor(book, StepPlanner(ENGINE), drafter)


def an_event(**changes: Any) -> Event:
    """Return an event of an order that was shipped."""
    usual: dict[str, Any] = {
        "service": "orders",
        "source": "/shop",
        "id": "e-1",
        "type": "order.shipped",
        "data": ORDER,
        "content_checksum": "",
    }
    return Event(**{**usual, **changes})
