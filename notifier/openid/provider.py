"""The authorization code flow of OpenID Connect Core 1.0 (3.1), with PKCE (RFC 7636)."""

from base64 import b64encode
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

import jwt

from notifier.access.openid import Identity, IdentityError, Journey
from notifier.openid.asking import Asker

_WELL_KNOWN: Final = "/.well-known/openid-configuration"
# Signed by the provider's own key: none that a client's secret could make.
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "ES256", "ES384", "EdDSA")
_LEEWAY_S: Final = 60
_REQUIRED: Final = ("iss", "sub", "aud", "exp", "iat")
_NAMES: Final = ("preferred_username", "email", "name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who notifier is at the provider, and what it wants to know there."""

    issuer: str
    client_id: str
    client_secret: str | None = field(repr=False)
    scopes: Sequence[str]
    role_claim: str


class OpenIdProvider:
    """`IdentityProvider` over OpenID Connect."""

    def __init__(self, name: str, client: Client, asker: Asker) -> None:
        self.name = name
        self._client = client
        self._asker = asker

    async def way_there(self, journey: Journey, back: str) -> str:
        endpoint = await self._endpoint("authorization_endpoint")
        asked = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": back,
            "scope": " ".join(self._client.scopes),
            "state": journey.state,
            "nonce": journey.nonce,
            "code_challenge": journey.challenge,
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    async def identity(self, journey: Journey, code: str, back: str) -> Identity:
        found = await self._configuration()
        tokens = await self._tokens(_url(found, "token_endpoint"), journey, code, back)
        keys = await self._asker.get(_url(found, "jwks_uri"))
        claims = self._claims(str(tokens.get("id_token", "")), keys, journey)
        if self._client.role_claim not in claims and "userinfo_endpoint" in found:
            claims = await self._told_more(_url(found, "userinfo_endpoint"), tokens, claims)
        return Identity(
            subject=f"{self._client.issuer} {claims['sub']}",
            name=next((str(claims[each]) for each in _NAMES if claims.get(each)), ""),
            groups=_texts(claims.get(self._client.role_claim)),
        )

    async def _configuration(self) -> Mapping[str, Any]:
        issuer = self._client.issuer
        found = await self._asker.get(f"{issuer.rstrip('/')}{_WELL_KNOWN}")
        if str(found.get("issuer", "")).rstrip("/") != issuer.rstrip("/"):
            raise IdentityError("the identity provider says that it is another")
        return found

    async def _endpoint(self, name: str) -> str:
        return _url(await self._configuration(), name)

    async def _tokens(self, url: str, journey: Journey, code: str, back: str) -> Mapping[str, Any]:
        client = self._client
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": journey.verifier,
        }
        if client.client_secret is None:
            return await self._asker.post(url, {**form, "client_id": client.client_id}, {})
        # RFC 6749, 2.3.1: both are encoded as in a form first.
        pair = f"{quote(client.client_id, safe='')}:{quote(client.client_secret, safe='')}"
        basic = {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
        return await self._asker.post(url, form, basic)

    def _claims(self, token: str, keys: Mapping[str, Any], journey: Journey) -> Mapping[str, Any]:
        """Return what an id token says, once it is known to be ours (OpenID Connect, 3.1.3.7)."""
        client = self._client
        try:
            claims: Mapping[str, Any] = jwt.decode(
                token,
                _key(keys, jwt.get_unverified_header(token)),
                algorithms=_ALGORITHMS,
                audience=client.client_id,
                issuer=[client.issuer, client.issuer.rstrip("/"), f"{client.issuer.rstrip('/')}/"],
                leeway=_LEEWAY_S,
                options={"require": list(_REQUIRED)},
            )
        except jwt.PyJWTError as error:
            why = f"the identity provider's token does not hold ({type(error).__name__})"
            raise IdentityError(why) from None
        is_ours = claims.get("azp", client.client_id) == client.client_id
        if not is_ours or claims.get("nonce") != journey.nonce:
            raise IdentityError("the identity provider's token is of another sign-in")
        return claims

    async def _told_more(
        self, url: str, tokens: Mapping[str, Any], claims: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Return what it says of them beside the token (5.3)."""
        bearer = {"Authorization": f"Bearer {tokens.get('access_token', '')}"}
        more = await self._asker.get(url, bearer)
        if more.get("sub") != claims["sub"]:
            raise IdentityError("the identity provider tells of somebody else")
        return {**more, **claims}


def _key(keys: Mapping[str, Any], header: Mapping[str, Any]) -> jwt.PyJWK:
    """Return the key that a token says it is signed with."""
    found = jwt.PyJWKSet.from_dict(dict(keys)).keys
    named = header.get("kid")
    those = [each for each in found if named is None or each.key_id == named]
    usable = [each for each in those if each.public_key_use in (None, "sig")]
    if not usable:
        raise jwt.InvalidKeyError("no such key")
    return usable[0]


def _url(found: Mapping[str, Any], name: str) -> str:
    url = found.get(name)
    if not isinstance(url, str) or not url.startswith(("https://", "http://")):
        raise IdentityError(f"the identity provider does not say its {name}")
    return url


def _texts(told: object) -> Collection[str]:
    """Return a claim as texts: providers write one, a list, or words with spaces between them."""
    match told:
        case str():
            return {told, *told.split()}
        case list():
            return {each for each in told if isinstance(each, str)}
    return ()
