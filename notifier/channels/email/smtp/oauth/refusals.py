"""What the refusals of token endpoints mean, and what an operator is to do about each.

RFC 6749 section 5.2 has the errors that all have in common; Google and Microsoft tell more by words
and by numbers.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from notifier.settings.environment import PREFIX


@dataclass(frozen=True, slots=True)
class Refusal:
    """An endpoint's error; `number` is Microsoft's, such as `AADSTS700082`, or empty."""

    error: str
    number: str
    words: str

    @property
    def code(self) -> str:
        """Both, as operators are shown it."""
        return f"oauth_{self.error} {self.number}".rstrip()


_ERROR = re.compile(r"[a-z_]{3,40}", re.ASCII)
_NUMBER = re.compile(r"\bAADSTS\d{4,9}\b", re.ASCII)
_MAX_WORDS = 2_000


def refusal_of(answer: Mapping[str, object]) -> Refusal | None:
    """Return the error that an endpoint answered; None where it is no such answer."""
    error, words = answer.get("error"), answer.get("error_description")
    if not isinstance(error, str) or not _ERROR.fullmatch(error):
        return None
    told = words[:_MAX_WORDS] if isinstance(words, str) else ""
    number = _NUMBER.search(told)
    return Refusal(error, number[0] if number else "", told.lower())


# --- for now --------------------------------------------------------------------------------

_FOR_NOW = frozenset({"temporarily_unavailable", "server_error", "slow_down", "internal_failure"})
# Those that Microsoft calls transient or retryable:
# https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes
_NUMBERS_FOR_NOW = frozenset(
    f"AADSTS{number}" for number in (50196, 90006, 90012, 90024, 90033, 90055, 90090)
)


def is_for_now(refusal: Refusal) -> bool:
    """Whether the same question may be answered a moment later."""
    return refusal.error in _FOR_NOW or refusal.number in _NUMBERS_FOR_NOW


# --- what to do -----------------------------------------------------------------------------

_EXPIRED = (
    "the client secret has expired: make a new one (Entra, App registrations, Certificates & "
    "secrets) and set {client_secret} to its value"
)
_CONSENT_ENDED = (
    "the refresh token has expired or was revoked: have the mailbox's owner consent again, and set "
    "{refresh_token}"
)
_SIGN_IN = (
    "a person has to sign in (multi-factor or conditional access): get a new refresh token, and "
    "set {refresh_token}"
)
_NO_CONSENT = (
    "nobody has consented to the application: grant it in Entra (App registrations, API "
    "permissions)"
)
_NOT_THERE = "there is no such application in this directory: see {client_id} and {tenant}"
_TENANT = "there is no such directory: see {tenant}"
_SCOPE = "the application may not ask for this scope: see {scope}"
_UNKNOWN_KEY = (
    "Google does not know this key (any more): make a new one (Google Cloud, Service accounts, "
    "Keys) and set {service_account}"
)
_NO_USER = (
    "{username} is no user of the Workspace domain: set it to a user's address, not to a "
    "group's or an alias"
)
_DELEGATION = (
    "the service account may not act as {username}: in Google's Admin console (Security, API "
    "controls, Domain-wide delegation) allow its client ID the scope https://mail.google.com/"
)

# https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes
_BY_NUMBER: Mapping[str, str] = {
    f"AADSTS{number}": remedy
    for numbers, remedy in (
        ((7000222,), _EXPIRED),
        (
            (7000215,),
            "the client secret is wrong: set {client_secret} to the secret's value, not to its ID",
        ),
        ((7000218,), "the application needs a secret: set {client_secret}"),
        ((700025,), "the application is a public one, and has no secret: unset {client_secret}"),
        ((7000112,), "the application is disabled: enable it in Entra (Enterprise applications)"),
        ((700016,), _NOT_THERE),
        ((90002, 900023, 90013), _TENANT),
        ((70008, 700082, 700084, 50173, 70000, 9002313), _CONSENT_ENDED),
        ((50076, 50078, 50079, 50158, 53000, 53001, 53003, 50072), _SIGN_IN),
        ((65001,), _NO_CONSENT),
        ((50034, 50020), "the mailbox is not in this directory: see {username} and {tenant}"),
        ((50057,), "the mailbox's account is disabled: enable it in Entra"),
        ((70011, 1002012, 28002, 28003, 500011), _SCOPE),
    )
    for number in numbers
}

# https://developers.google.com/identity/protocols/oauth2/service-account#jwt-error-codes
_BY_WORDS: Sequence[tuple[str, str, str]] = (
    ("service_account", r"short-lived token|iat and exp", "this host's clock is wrong: set it"),
    ("service_account", r"invalid jwt signature", _UNKNOWN_KEY),
    (
        "service_account",
        r"account not found",
        "the service account is gone: make one, and set {service_account}",
    ),
    ("service_account", r"invalid email or user id|not a valid email", _NO_USER),
    ("service_account", r"unauthori[sz]ed|not authorized", _DELEGATION),
)

_BY_ERROR: Mapping[tuple[str, str], str] = {
    ("refresh_token", "invalid_grant"): _CONSENT_ENDED,
    ("service_account", "invalid_grant"): (
        "the service account's key or the mailbox is not accepted: see {service_account} and "
        "{username}"
    ),
    ("service_account", "unauthorized_client"): _DELEGATION,
    ("service_account", "access_denied"): _DELEGATION,
    ("service_account", "invalid_scope"): _DELEGATION,
    ("refresh_token", "unauthorized_client"): (
        "the refresh token is of another application: {client_id} and {refresh_token} belong "
        "together"
    ),
}
_BY_ERROR_ALONE: Mapping[str, str] = {
    "invalid_client": "the application or its secret is not accepted (any more): see {client_id}, "
    "and renew {client_secret}",
    "deleted_client": "the application was deleted: make one, and set {client_id}",
    "disabled_client": "the application is disabled: enable it where it was made",
    "unauthorized_client": "the application may not ask in this way: see {client_id} and its "
    "permissions",
    "admin_policy_enforced": "the domain's administrator does not allow it: allow the application "
    "in Google's Admin console (Security, API controls)",
    "invalid_scope": _SCOPE,
    "unsupported_grant_type": "the endpoint knows no such way: see {token_url}",
}
_OTHERWISE = "see {token_url} and what else is set beside it"


def remedy(refusal: Refusal, grant: str, provider: str) -> str:
    """Return what an operator of `provider` is to do about it, with the variables' names."""
    return _remedy(refusal, grant).format_map(_variables(provider))


def _remedy(refusal: Refusal, grant: str) -> str:
    if refusal.number in _BY_NUMBER:
        return _BY_NUMBER[refusal.number]
    for about, pattern, found in _BY_WORDS:
        if about == grant and re.search(pattern, refusal.words):
            return found
    found_by_error = _BY_ERROR.get((grant, refusal.error))
    return found_by_error or _BY_ERROR_ALONE.get(refusal.error, _OTHERWISE)


def _variables(provider: str) -> Mapping[str, str]:
    group = f"{PREFIX}{provider.upper()}__"
    settings = (
        "client_id", "client_secret", "refresh_token", "service_account", "tenant", "token_url",
        "scope",
    )  # fmt: skip
    oauth = {name: f"{group}OAUTH_{name.upper()}" for name in settings}
    return {"username": f"{group}USERNAME", **oauth}
