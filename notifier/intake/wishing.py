"""What whom a notification is for wants of it, as it is accepted."""

from dataclasses import dataclass
from datetime import datetime

from notifier.audience.category import Category
from notifier.audience.preference import Decision, Defer, Send, Suppress
from notifier.notification.outcomes import DEFERRED, SUPPRESSED, Fault


@dataclass(frozen=True, slots=True)
class Wish:
    """What was decided, and by which category; None: by none that its service declared."""

    category: Category | None
    decision: Decision | None
    former: str | None = None
    """The category that its service removed, of which an address may have chosen nothing."""

    @property
    def withheld(self) -> Fault | None:
        """Why it is not sent, or not yet."""
        match self.decision:
            case None | Send():
                return None
            case Suppress(why=why):
                return Fault(kind=SUPPRESSED, code=why.code, message=why.words)
            case Defer(why=why):
                return Fault(kind=DEFERRED, code=why.code, message=why.words)

    def later(self, send_at: datetime | None) -> datetime | None:
        """Return the time to send at: `send_at` (None: at once), or what is wanted."""
        return self.decision.until if isinstance(self.decision, Defer) else send_at


NO_WISH = Wish(None, None)
