"""Settings of the audit log."""

from pydantic import Field

from notifier.settings.reading import Group


class AuditSettings(Group):
    """The audit log."""

    kept_days: int = Field(
        400,
        ge=1,
        le=36_500,
        description="Days that [the audit log](audit.md) keeps who changed what.",
    )
