"""OpenID Connect: one provider asked with code, PKCE, state and nonce, and its ID token checked.

Discovery and keys are kept for an hour; a token of an unknown key has the keys read anew, once a minute at
most, so that nobody makes us ask the provider again and again.
"""

import json
import secrets
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import structlog

from watchword.crypto.idtokens import BadToken, UnknownKey, Verified, verify
from watchword.domain.errors import Refused, Unavailable
from watchword.domain.passkeys import MAX_SUBJECT
from watchword.domain.people import HOUR_US, SECOND_US
from watchword.domain.tokens import MINUTE_US
from watchword.services.context import Clock
from watchword.services.providers import Provider, is_safe, is_this_machine

log = structlog.get_logger("watchword.single_sign_on")

SCOPE = "openid email profile"
_SECONDS = 10
_MAX_ANSWER = 512 * 1024
_LEEWAY_S = 60
_RANDOM_BYTES = 32
_VERIFIER_BYTES = 48
# What a provider that announces nothing signs with (OpenID Connect Discovery 1.0 §3).
_DEFAULT_ALGORITHMS = ("RS256",)


@dataclass(frozen=True, slots=True)
class Asking:
    """What one sign-in is checked against; it leaves in a sealed ticket alone."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def fresh(cls) -> "Asking":
        """Random ones."""
        return cls(
            secrets.token_urlsafe(_RANDOM_BYTES),
            secrets.token_urlsafe(_RANDOM_BYTES),
            secrets.token_urlsafe(_VERIFIER_BYTES),
        )


@dataclass(frozen=True, slots=True)
class Claims:
    """What a provider says of a person.

    Attributes:
        email: as it is given; empty where there is none or it is not verified.
        methods: how they proved it there (RFC 8176).
        at: when they did, in microseconds; 0 where that is not said.
    """

    subject: str
    email: str
    name: str
    methods: tuple[str, ...]
    at: int


@dataclass(slots=True)
class _Kept:
    """A document and when it was read."""

    document: Mapping[str, Any] = field(default_factory=dict)
    read_at: int = 0


def refused(provider: Provider, why: str) -> Refused:
    """A sign-in that does not pass; why it does not stands in the log."""
    log.warning("single_sign_on_refused", provider=provider.key, reason=why)
    return Refused(f"The answer of {provider.label} was not accepted.", code="sso_refused")


@dataclass(slots=True)
class OpenId:
    """One provider."""

    provider: Provider
    clock: Clock
    _about: _Kept = field(default_factory=_Kept)
    _keys: _Kept = field(default_factory=_Kept)

    async def address(self, asking: Asking, redirect_uri: str, *, afresh: bool = False) -> str:
        """Where the browser goes to sign in.

        Args:
            asking: what the answer will be checked against.
            redirect_uri: where it comes back.
            afresh: whether the person must sign in there again, however lately they did.

        Raises:
            Unavailable: the provider cannot be asked, or is not what it was expected to be.
        """
        from authlib.oauth2.client import OAuth2Client  # noqa: PLC0415 - slow to import

        about = await self._discover()
        client = OAuth2Client(
            None,
            self.provider.client_id,
            scope=SCOPE,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
        )
        more = {"prompt": "login", "max_age": "0"} if afresh else {}
        url, _ = client.create_authorization_url(
            about["authorization_endpoint"],
            state=asking.state,
            code_verifier=asking.verifier,
            nonce=asking.nonce,
            **more,
        )
        return str(url)

    async def redeem(self, asking: Asking, code: str, redirect_uri: str) -> Claims:
        """Exchange a code, check the ID token, and say who it is.

        Raises:
            Refused: the code or the token does not pass.
            Unavailable: the provider cannot be asked.
        """
        about = await self._discover()
        answer = await self._exchange(about, asking, code, redirect_uri)
        token, access = answer.get("id_token"), answer.get("access_token")
        if not isinstance(token, str):
            raise refused(self.provider, "no ID token")
        verified = await self._verify(about, token)
        self._judge(verified, asking, access)
        claims = dict(verified.claims)
        if "email" not in claims and isinstance(access, str) and about.get("userinfo_endpoint"):
            claims |= await self._person(about, access, claims["sub"])
        return _claims(claims)

    # -- the ID token ----------------------------------------------------------------------------

    async def _verify(self, about: Mapping[str, Any], token: str) -> Verified:
        algorithms = about.get("id_token_signing_alg_values_supported") or _DEFAULT_ALGORITHMS
        for newest in (False, True):
            try:
                return verify(token, await self._published(about, newest=newest), algorithms)
            except BadToken as error:
                raise refused(self.provider, str(error)) from None
            except UnknownKey:
                continue
        raise refused(self.provider, "unknown key")

    def _judge(self, verified: Verified, asking: Asking, access: object) -> None:
        """Check issuer, audience, times and nonce (OpenID Connect Core 1.0 §3.1.3.7)."""
        from authlib.oidc.core import CodeIDToken  # noqa: PLC0415 - slow to import

        provider = self.provider
        claims = CodeIDToken(
            dict(verified.claims),
            dict(verified.header),
            {
                "iss": {"essential": True, "value": provider.issuer},
                "aud": {"essential": True, "value": provider.client_id},
            },
            {"nonce": asking.nonce, "client_id": provider.client_id, "access_token": access},
        )
        try:
            claims.validate(now=self.clock.now() // SECOND_US, leeway=_LEEWAY_S)
        # The library's errors for claims of unexpected types are of many kinds.
        except Exception as error:  # noqa: BLE001
            raise refused(provider, f"claims: {type(error).__name__} {error}") from None
        subject = verified.claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT:
            raise refused(provider, "subject")

    # -- what the provider is asked --------------------------------------------------------------

    async def _discover(self) -> Mapping[str, Any]:
        if self._fresh(self._about):
            return self._about.document
        issuer = self.provider.issuer
        found = await self._get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != issuer:
            raise self._unfit("issuer")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not is_safe(str(found.get(name, ""))):
                raise self._unfit(name)
        self._about = _Kept(found, self.clock.now())
        return found

    async def _published(self, about: Mapping[str, Any], *, newest: bool) -> Sequence[Mapping[str, Any]]:
        since = self.clock.now() - self._keys.read_at
        if not self._fresh(self._keys) or (newest and since >= MINUTE_US):
            self._keys = _Kept(await self._get(about["jwks_uri"]), self.clock.now())
        listed = self._keys.document.get("keys", ())
        return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []

    def _fresh(self, kept: _Kept) -> bool:
        return bool(kept.document) and self.clock.now() - kept.read_at < HOUR_US

    async def _exchange(
        self, about: Mapping[str, Any], asking: Asking, code: str, redirect_uri: str
    ) -> Mapping[str, Any]:
        from authlib.oauth2.auth import ClientAuth  # noqa: PLC0415 - slow to import
        from authlib.oauth2.rfc6749.parameters import prepare_token_request  # noqa: PLC0415 - the same

        provider = self.provider
        body = prepare_token_request(
            "authorization_code", redirect_uri=redirect_uri, code=code, code_verifier=asking.verifier
        )
        methods = about.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        method = "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"
        secret = provider.client_secret.reveal()
        auth = ClientAuth(provider.client_id, secret, method if secret else "none")
        url, headers, body = auth.prepare(
            "POST",
            about["token_endpoint"],
            {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
            body,
        )
        return await self._send("POST", url, headers, body)

    async def _person(self, about: Mapping[str, Any], access: str, subject: object) -> Mapping[str, Any]:
        """The claims that an ID token leaves out, from the provider's list of people."""
        url = str(about["userinfo_endpoint"])
        if not is_safe(url):
            raise self._unfit("userinfo_endpoint")
        found = await self._send("GET", url, {"Authorization": f"Bearer {access}"}, "")
        if found.get("sub") != subject:
            raise refused(self.provider, "userinfo of another subject")
        return {name: found[name] for name in ("email", "email_verified", "name") if name in found}

    async def _get(self, url: str) -> Mapping[str, Any]:
        return await self._send("GET", url, {"Accept": "application/json"}, "")

    async def _send(self, method: str, url: str, headers: Mapping[str, str], body: str) -> Mapping[str, Any]:
        """One request; the answer is a JSON object.

        Raises:
            Refused: the provider takes the request for wrong.
            Unavailable: it cannot be reached, or answers something else.
        """
        import httpx  # noqa: PLC0415 - slow to import, needed for single sign-on alone

        try:
            async with httpx.AsyncClient(
                timeout=_SECONDS, trust_env=not is_this_machine(url), verify=_trust()
            ) as client:
                answer = await client.request(method, url, headers=dict(headers), content=body)
            if method == "POST" and answer.status_code in (400, 401):
                raise refused(self.provider, f"token endpoint: {_word(answer.text)}")
            found = answer.json() if answer.is_success and len(answer.content) <= _MAX_ANSWER else None
        except httpx.HTTPError as error:
            raise self._unfit(type(error).__name__) from None
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise self._unfit(f"answer {answer.status_code}")
        return found

    def _unfit(self, why: str) -> Unavailable:
        log.warning("single_sign_on_unavailable", provider=self.provider.key, reason=why)
        return Unavailable(
            f"{self.provider.label} cannot be asked at the moment. Try again, or sign in another way.",
            code="sso_unavailable",
        )


@cache
def _trust() -> ssl.SSLContext:
    """What certificates are checked against; reading them takes longer than a request."""
    import httpx  # noqa: PLC0415 - slow to import

    return httpx.create_ssl_context()


def _word(text: str) -> str:
    """The error code in an answer of a token endpoint (RFC 6749 §5.2), and nothing else of it."""
    try:
        found = json.loads(text).get("error", "")
    except (ValueError, AttributeError):
        return ""
    return str(found)[:40] if str(found).replace("_", "").isalpha() else ""


def _claims(claims: Mapping[str, Any]) -> Claims:
    email, name = claims.get("email"), claims.get("name")
    methods, at = claims.get("amr"), claims.get("auth_time")
    verified = claims.get("email_verified") is True and isinstance(email, str)
    return Claims(
        subject=claims["sub"],
        email=str(email) if verified else "",
        name=name if isinstance(name, str) else "",
        methods=tuple(one for one in methods if isinstance(one, str)) if isinstance(methods, list) else (),
        at=int(at) * SECOND_US if isinstance(at, int | float) else 0,
    )
