"""All settings: the core's, and a group for each provider."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import create_model

from notifier.channels.registry import PROVIDERS
from notifier.settings.groups import Settings

_GROUPS: Mapping[str, Any] = {
    each.name: (each.settings, each.settings()) for each in PROVIDERS if each.has_settings
}

ALL_SETTINGS: Final[type[Settings]] = create_model("Settings", __base__=Settings, **_GROUPS)
"""What the variables are checked against."""


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read and check all settings.

    Raises:
        SettingsError: one line that names the first variable that is missing or wrong.
    """
    return ALL_SETTINGS.from_env(environ)
