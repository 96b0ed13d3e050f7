"""The rules of a world: how each says what is to be sent, and when."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from notifier.events.rules import RuleDraft, RuleStore

SERVICE = "shop"
LETTER = "letter"
DIGEST = "digest"
"""The template of what was gathered."""
_FIRST_ID = 100
_VARIABLES = {"number": "data.number"}
_TO = "data.user_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule: its document, and what a world's signs need to know of it."""

    on: str
    steps: list[Mapping[str, Any]]
    sends: tuple[str, ...]
    """The channels of its sends, one after the other."""
    delay_s: float = 0.0
    """Between its sends."""
    window_s: float | None = None
    """How long its digests are open; None: it has none."""
    sends_first: bool = False
    most: int | None = None
    """How many items a digest has, or how many go through its throttle."""
    per_s: float | None = None
    cancelled_by: tuple[str, ...] = ()
    kept_back_by: str | None = None
    is_keyed: bool = False
    category: str | None = None
    """Of what it sends; None: that of the template."""

    @property
    def document(self) -> Mapping[str, Any]:
        """The rule as it is written."""
        keyed = {"key": "data.key", "cancelled_by": [*self.cancelled_by]} if self.is_keyed else {}
        own = {"category": self.category} if self.category else {}
        said = {"on": self.on, "to": _TO, "variables": _VARIABLES, "steps": self.steps}
        return {**said, **keyed, **own}


def _send(channel: str, template: str = LETTER) -> Mapping[str, Any]:
    return {"send": [channel], "template": template}


RULES: Mapping[str, Rule] = {
    "orders": Rule(
        on="order.placed",
        is_keyed=True,
        cancelled_by=("order.withdrawn",),
        kept_back_by="order.paid",
        steps=[
            _send("email"),
            {"delay": "20s"},
            {"unless": {"event": "order.paid"}},
            _send("sms"),
        ],
        sends=("email", "sms"),
        delay_s=20,
    ),
    "remarks": Rule(
        on="remark.made",
        is_keyed=True,
        cancelled_by=("remark.withdrawn",),
        steps=[{"digest": {"window": "20s", "key": "data.thread"}}, _send("email", DIGEST)],
        sends=("email",),
        window_s=20,
    ),
    "likes": Rule(
        on="like.given",
        steps=[
            {"digest": {"window": "15s", "max_items": 3, "first": "send"}},
            _send("sms", DIGEST),
        ],
        sends=("sms",),
        window_s=15,
        sends_first=True,
        most=3,
    ),
    "visits": Rule(
        on="visit.paid",
        steps=[{"throttle": {"count": 2, "per": "15s"}}, _send("email")],
        sends=("email",),
        most=2,
        per_s=15,
    ),
    "payments": Rule(
        on="payment.made",
        category="orders",
        steps=[_send("sms"), {"delay": "20s"}, {"unless": "delivered"}, _send("email")],
        sends=("sms", "email"),
        delay_s=20,
    ),
}


async def publish_rules(rules: RuleStore) -> None:
    """Put all in force, before there is a world."""
    for nth, (name, rule) in enumerate(RULES.items()):
        document = cast(Any, rule.document)
        saved = await rules.save(service=SERVICE, name=name, document=document, if_match=None)
        await rules.publish(draft=cast(RuleDraft, saved), id=UUID(int=_FIRST_ID + nth))
