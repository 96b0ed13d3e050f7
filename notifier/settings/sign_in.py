"""Settings of signing in to the console."""

from pydantic import Field

from notifier.settings.reading import Group


class SignInSettings(Group):
    """Signing in to the console."""

    by_key: bool = Field(
        default=True,
        description="Let whoever has an API key into [the console](console.md) too, with the "
        "scopes of that key. Turn it off once there are operators.",
    )
