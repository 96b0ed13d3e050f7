"""What the command line reads suppression lists with."""

from pydantic import SecretStr

from notifier.settings.groups import DatabaseSettings
from notifier.settings.secrets import ErasureSettings


class ListSettings(DatabaseSettings):
    """What the suppression list is read and changed with.

    With the secret of erasures, what became a hash is found by its address.
    """

    key_pepper: SecretStr | None = None
    erasure: ErasureSettings = ErasureSettings()
