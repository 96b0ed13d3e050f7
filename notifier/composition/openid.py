"""Signing in elsewhere, as the settings have it."""

import ssl
from collections.abc import Mapping
from pathlib import Path

from notifier.access.openid import Newcomers
from notifier.access.operators import OperatorStore, Role
from notifier.api.ports import Elsewhere
from notifier.errors import SettingsError
from notifier.importing import imported
from notifier.settings.sign_in import OpenIdSettings

_PREFIX = "NOTIFIER_OPENID__"


def elsewhere(settings: OpenIdSettings, operators: OperatorStore) -> Elsewhere | None:
    """Return where operators may sign in; None: nowhere is set.

    Raises:
        SettingsError: it is set in part, or its libraries are not installed.
    """
    if settings.issuer is None:
        return None
    if not settings.client_id:
        raise SettingsError(f"{_PREFIX}CLIENT_ID: unset; it is who notifier is at {_PREFIX}ISSUER")
    try:
        provider, asking = imported("notifier.openid.provider"), imported("notifier.openid.asking")
    except ImportError as error:
        words = f"{_PREFIX}ISSUER needs {error.name}: install notifier[oidc]"
        raise SettingsError(words) from None
    secret = settings.client_secret
    client = provider.Client(
        issuer=settings.issuer,
        client_id=settings.client_id,
        client_secret=secret.get_secret_value() if secret else None,
        scopes=settings.scopes,
        role_claim=settings.role_claim,
    )
    newcomers = Newcomers(
        operators=operators,
        roles=roles_of(settings.roles),
        service=settings.service,
        sees_every_service=settings.every_service,
    )
    asker = asking.Asker(_trusting(settings.ca_path))
    return Elsewhere(provider.OpenIdProvider(settings.name, client, asker), newcomers)


def roles_of(written: tuple[str, ...]) -> Mapping[str, Role]:
    """Return the role of each group.

    Raises:
        SettingsError: there is none, or one does not read so.
    """
    pairs = dict(each.rpartition("=")[::2] for each in written)
    wrong = [group for group, role in pairs.items() if not group or role not in tuple(Role)]
    if wrong or not pairs:
        words = f"expected such as staff=viewer,admins=admin, with the roles {', '.join(Role)}"
        raise SettingsError(f"{_PREFIX}ROLES: {words}")
    return {group: Role(role) for group, role in pairs.items()}


def _trusting(ca_path: Path | None) -> ssl.SSLContext | None:
    if ca_path is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(ca_path))
    except OSError:
        raise SettingsError(f"{_PREFIX}CA_PATH: no certificates in {ca_path}") from None
