"""Settings of the secrets that content is kept and erased with."""

from typing import Annotated

from pydantic import Field, SecretStr

from notifier.settings.reading import Group, Secrets


class ErasureSettings(Group):
    """Erasure."""

    key: Annotated[SecretStr, Field(min_length=16)] | None = Field(
        None,
        description="Secret that what is left of an erased address is hashed with, and receipts "
        "are signed with, 16 characters or more; made from `NOTIFIER_KEY_PEPPER` if unset. If it "
        "changes, erased addresses are no longer known as suppressed "
        "([erasing somebody](privacy.md#erasing-somebody)).",
    )


class SecretSettings(Group):
    """Content at rest."""

    content_keys: Secrets = Field(
        (),
        description="Secrets that the content of `sensitive` notifications is sealed with in the "
        "database, 16 characters or more each: the first seals, all of them open. The same for the "
        "API and the workers. Unset, it is stored as it is "
        "([sensitive content](privacy.md#sensitive-content)).",
    )
