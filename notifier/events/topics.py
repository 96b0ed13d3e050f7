"""What a rule sends to all members of a topic: a broadcast."""

from notifier.broadcasts.announcing import Wish
from notifier.broadcasts.broadcast import Whom
from notifier.content.template import TemplateRef
from notifier.events.planning import Plan
from notifier.intake.draft import Draft
from notifier.notification.model import Lane


def is_for_topics(plan: Plan) -> bool:
    """Whether a broadcast can be made of a plan."""
    if plan.item or plan.throttle or len(plan.drafts) != 1:
        return False
    one = plan.drafts[0]
    waits_for = one.unless or one.unless_event
    is_plain = one.draft.expires_at is None and not one.draft.sensitive
    return is_plain and not waits_for


def wish_of(draft: Draft, topic: str) -> Wish:
    """Return the broadcast to ask for; it lets others go first unless it is urgent."""
    return Wish(
        channel=draft.channel,
        template=draft.template or TemplateRef(""),
        whom=Whom(topic=topic),
        variables=draft.variables or {},
        lane=draft.lane if draft.lane is Lane.HIGH else Lane.BULK,
        send_at=draft.send_at,
    )
