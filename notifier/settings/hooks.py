"""Settings of hooks."""

from pydantic import Field

from notifier.settings.reading import Group, Seconds


class HookSettings(Group):
    """Hooks."""

    enabled: bool = Field(
        default=True, description="Whether [hooks](hooks.md) that are installed are called."
    )
    timeout_s: Seconds = Field(
        1,
        description="Seconds that a call of a hook may take: a coroutine is cancelled then, and "
        "whatever takes longer counts as late. Nothing waits for it in any case.",
    )
