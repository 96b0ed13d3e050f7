"""SMTP's settings: how to reach the server, and one way to log in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from notifier.channels.email.smtp.settings import MailServerSettings
from notifier.errors import SettingsError
from notifier.settings.environment import PREFIX
from notifier.settings.reading import Host


def _token_url(value: str) -> str:
    try:
        url = urlsplit(value)
        is_whole = bool(url.hostname) and url.port != 0 and not re.search(r"\s", value)
    except ValueError:
        raise ValueError("expected https://host/path") from None
    if not is_whole or url.username or url.fragment:
        raise ValueError("expected https://host/path")
    if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(url.hostname or "")):
        raise ValueError("expected https://: secrets go there (http:// is for this host alone)")
    return value


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class SmtpSettings(MailServerSettings):
    """The SMTP provider."""

    preset: Literal["none", "google", "microsoft"] = Field(
        "none",
        description="`google` or `microsoft`: host, token endpoint and scope of Gmail (Google "
        "Workspace) or Microsoft 365, where they are not set: see "
        "[Gmail and Microsoft 365](mail-with-oauth.md).",
    )
    host: Host | None = Field(
        None, description="Host of the mail server; the preset's, or else `localhost`, if unset."
    )
    helo_name: str | None = Field(
        None,
        description="Name that a mail server is greeted with: this host's, with its domain, as the "
        "DNS knows it. Without it, what the host calls itself if that has a domain, else "
        "`[127.0.0.1]`.",
    )
    oauth_client_id: str | None = Field(
        None,
        min_length=1,
        description="Application that asks for access tokens, instead of a password.",
    )
    oauth_client_secret: SecretStr | None = Field(
        None,
        description="Secret of that application. Without a refresh token it sends by itself "
        "(client credentials).",
    )
    oauth_refresh_token: SecretStr | None = Field(
        None, description="Refresh token that the mailbox's owner consented to."
    )
    oauth_service_account: SecretStr | None = Field(
        None,
        description="Key of a Google service account that may act as the mailbox: the content of "
        "its JSON file.",
    )
    oauth_tenant: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9.-]{1,253}$",
        description="Directory (tenant) ID or domain, with `microsoft`.",
    )
    oauth_token_url: Annotated[str, AfterValidator(_token_url)] | None = Field(
        None, description="Token endpoint, if it is not the preset's."
    )
    oauth_scope: str | None = Field(
        None,
        pattern=r"^[\x21-\x7e]+( [\x21-\x7e]+)*$",
        description="Scope to ask for, if it is not the preset's.",
    )
    oauth_ca_path: Path | None = Field(
        None,
        description="File of certificates (PEM) to trust at the token endpoint instead of the "
        "system's.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What need not be set for one of the large ones; `{tenant}` in the URL is the directory."""

    host: str
    token_url: str | None = None
    scope: str | None = None
    """Of an application that acts by itself."""
    consented_scope: str | None = None
    """Of a refresh token; None asks for what was consented to."""


# https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
# https://learn.microsoft.com/en-us/exchange/client-developer/legacy-protocols/
#   how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
PRESETS: Mapping[str, Preset] = {
    "none": Preset(host="localhost"),
    "google": Preset(
        host="smtp.gmail.com",
        token_url="https://oauth2.googleapis.com/token",  # noqa: S106 - where they are asked for
        scope="https://mail.google.com/",
    ),
    "microsoft": Preset(
        host="smtp.office365.com",
        token_url="https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",  # noqa: S106
        scope="https://outlook.office365.com/.default",
        consented_scope="https://outlook.office.com/SMTP.Send offline_access",
    ),
}


class Way(Enum):
    """How tokens are asked for."""

    REFRESH_TOKEN = auto()
    CLIENT_CREDENTIALS = auto()
    SERVICE_ACCOUNT = auto()


def oauth_way(smtp: SmtpSettings) -> Way | None:
    """Return the one way in which tokens are asked for; None where none is set.

    Raises:
        SettingsError: there are two ways, or one is not complete; names the variable.
    """
    given = [name for name in _OAUTH if getattr(smtp, name) is not None]
    if not given:
        if smtp.preset != "none" and smtp.password is None:
            raise _problem("preset", f"{smtp.preset} wants a login; see docs/mail-with-oauth.md")
        return None
    _check_login(smtp, given[0])
    way = _way(smtp)
    _check_endpoint(smtp, way)
    return way


_OAUTH = tuple(name for name in SmtpSettings.model_fields if name.startswith("oauth_"))
_APPLICATION = ("oauth_client_id", "oauth_client_secret", "oauth_refresh_token", "oauth_tenant")


def _check_login(smtp: SmtpSettings, given: str) -> None:
    if smtp.password is not None:
        raise _problem("password", f"log in with it or with {_name(given)}, not both")
    if smtp.username is None:
        raise _problem("username", "is not set; it is the mailbox that mails are sent from")
    if smtp.security == "none":
        raise _problem("security", "none allows no login; use starttls or tls")


def _way(smtp: SmtpSettings) -> Way:
    if smtp.oauth_service_account is not None:
        for name in _APPLICATION:
            if getattr(smtp, name) is not None:
                raise _problem(name, f"not with {_name('oauth_service_account')}: set one of them")
        return Way.SERVICE_ACCOUNT
    if smtp.oauth_client_id is None:
        raise _problem("oauth_client_id", f"is not set, nor is {_name('oauth_service_account')}")
    by_consent = smtp.oauth_refresh_token is not None
    if smtp.oauth_client_secret is None and (smtp.preset == "google" or not by_consent):
        raise _problem("oauth_client_secret", "is not set")
    if smtp.preset == "google" and not by_consent:
        problem = f"is not set; without one, Google wants {_name('oauth_service_account')}"
        raise _problem("oauth_refresh_token", problem)
    return Way.REFRESH_TOKEN if by_consent else Way.CLIENT_CREDENTIALS


def _check_endpoint(smtp: SmtpSettings, way: Way) -> None:
    if smtp.preset != "microsoft" and smtp.oauth_tenant is not None:
        raise _problem("oauth_tenant", f"only with {_name('preset')}=microsoft")
    if way is Way.SERVICE_ACCOUNT and smtp.preset == "microsoft":
        raise _problem("oauth_service_account", "is Google's; not with microsoft")
    if smtp.oauth_token_url is not None:
        if smtp.oauth_tenant is not None:
            raise _problem("oauth_tenant", f"not with {_name('oauth_token_url')}, which names it")
    elif smtp.preset == "microsoft" and smtp.oauth_tenant is None:
        raise _problem("oauth_tenant", "is not set; it is the Directory (tenant) ID")
    elif smtp.preset == "none" and way is not Way.SERVICE_ACCOUNT:
        raise _problem("oauth_token_url", f"is not set, nor is {_name('preset')}")
    if way is Way.CLIENT_CREDENTIALS and smtp.preset == "none" and smtp.oauth_scope is None:
        raise _problem("oauth_scope", "is not set")


def _problem(setting: str, problem: str) -> SettingsError:
    return SettingsError(f"{_name(setting)}: {problem}")


def _name(setting: str) -> str:
    return f"{PREFIX}SMTP__{setting.upper()}"
