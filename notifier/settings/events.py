"""Settings of events."""

from pydantic import Field

from notifier.settings.reading import Group


class EventSettings(Group):
    """Events."""

    kept_days: int = Field(
        7,
        ge=1,
        le=365,
        description="Days that an event is kept, with what came of it: for so long it is known if "
        "it comes again, and a rule is carried out once for a key.",
    )
