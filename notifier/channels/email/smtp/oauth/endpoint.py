"""Asking a token endpoint, once: a token, or whose fault it is that there is none."""

import json
import re
from collections.abc import Mapping
from typing import assert_never
from urllib.parse import urlencode

import structlog

from notifier.channels._http import HttpPoster
from notifier.channels._outcomes import Answer, retry_after_s
from notifier.channels.email.smtp.oauth.grants import Grant
from notifier.channels.email.smtp.oauth.refusals import is_for_now, refusal_of, remedy
from notifier.channels.email.smtp.oauth.tokens import AccessToken, NoToken
from notifier.clock import Clock
from notifier.notification.outcomes import Systemic, Transient, Unknown
from notifier.settings.environment import PREFIX

log = structlog.get_logger(__name__)

_HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
}
# RFC 6750 section 2.1; whatever else would end or split what a mail server is sent.
_TOKEN = re.compile(r"[\x21-\x7e]{1,16000}")
_LIFETIME_IF_UNSAID_S = 600.0
_LONGEST_LIFETIME_S = 86_400.0
_TRY_LATER = (408, 425, 429)


class TokenEndpoint:
    """Asks one endpoint by one grant; keeps a refresh token that it sends in place of the last."""

    def __init__(
        self, url: str, grant: Grant, poster: HttpPoster, clock: Clock, provider: str
    ) -> None:
        self._url = url
        self._grant = grant
        self._poster = poster
        self._clock = clock
        self._provider = provider

    async def issue(self) -> AccessToken | NoToken:
        """Return a new token, or why there is none, within the poster's time-out."""
        body = urlencode(self._grant.form(self._clock.now())).encode()
        answer = await self._poster.post(self._url, body, _HEADERS)
        match answer:
            case Answer():
                return self._judged(answer)
            case Transient() | Unknown():
                return self._unreachable(answer.code)
            case _:
                assert_never(answer)

    async def close(self) -> None:
        await self._poster.close()

    def _judged(self, answer: Answer) -> AccessToken | NoToken:
        told = _object(answer.text)
        if answer.status == 200 and (token := _token(told)):  # noqa: PLR2004 - as RFC 6749 5.1
            self._keep_rotated(told.get("refresh_token"))
            return token
        again_s = retry_after_s(answer.headers, self._clock.now())
        if answer.status >= 500 or answer.status in _TRY_LATER:  # noqa: PLR2004 - its own trouble
            return _for_now(f"oauth_{answer.status}", f"it answers {answer.status}", again_s)
        refusal = refusal_of(told)
        if refusal is None:
            return self._nonsense(answer.status)
        if is_for_now(refusal):
            return _for_now(refusal.code, "it cannot for now", again_s)
        advice = remedy(refusal, self._grant.name, self._provider)
        return Systemic(refusal.code, f"the token endpoint refuses: {advice}")

    def _keep_rotated(self, refresh_token: object) -> None:
        """In memory alone: after a restart the one that was set is used again."""
        if isinstance(refresh_token, str) and _TOKEN.fullmatch(refresh_token):
            self._grant = self._grant.rotated(refresh_token)

    def _nonsense(self, status: int) -> NoToken:
        if status == 200:  # noqa: PLR2004 - whoever answered, it is no refusal
            return _for_now("oauth_no_token", "there is no token in its answer", None)
        where = self._variable("TOKEN_URL")
        problem = f"what answers there is no token endpoint ({status}): see {where}"
        return Systemic(f"oauth_{status}", problem)

    def _unreachable(self, code: str) -> NoToken:
        if code == "tls":
            return Systemic(
                "oauth_tls",
                "the token endpoint's certificate is not trusted: set "
                f"{self._variable('CA_PATH')} to a file with who signed it, or see "
                f"{self._variable('TOKEN_URL')}",
            )
        return _for_now(f"oauth_{code}", f"it cannot be reached ({code})", None)

    def _variable(self, name: str) -> str:
        return f"{PREFIX}{self._provider.upper()}__OAUTH_{name}"


def _for_now(code: str, what: str, again_s: float | None) -> Transient:
    return Transient(code, f"the token endpoint: {what}", again_s)


def _object(text: str) -> Mapping[str, object]:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _token(told: Mapping[str, object]) -> AccessToken | None:
    value, kind = told.get("access_token"), told.get("token_type", "Bearer")
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        return None
    if not isinstance(kind, str) or kind.lower() != "bearer":
        return None
    return AccessToken(value, _lifetime_s(told.get("expires_in")))


def _lifetime_s(told: object) -> float:
    """Some write the number as text; without one, a refused token is renewed all the same."""
    if isinstance(told, str) and told.isascii() and told.isdigit():
        told = int(told[:9])
    if isinstance(told, bool) or not isinstance(told, (int, float)) or not told > 0:
        return _LIFETIME_IF_UNSAID_S
    return min(float(told), _LONGEST_LIFETIME_S)
