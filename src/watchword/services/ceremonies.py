"""Ceremonies of Web Authentication: what the browser is asked, and whether its answer is right.

A passkey here always verifies its user (PIN, finger, face) and names itself, so it stands for password and
second factor together; keys that only want a touch are not taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from watchword.domain.errors import Conflict, Refused
from watchword.domain.passkeys import TICKET_US, Passkey

if TYPE_CHECKING:
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

NAME = "Watchword"
MAX_ANSWER = 16 * 1024
_TIMEOUT_MS = TICKET_US // 1000
# Browsers leave these out of an origin.
_PORTS = {"http": 80, "https": 443}
_TRANSPORTS = {"ble", "cable", "hybrid", "internal", "nfc", "smart-card", "usb"}


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Whom passkeys are for.

    Attributes:
        id: a name that browsers bind them to; they stay bound to it for good.
        origin: where pages are that may use them.
    """

    id: str
    origin: str

    @classmethod
    def of(cls, url: str) -> "RelyingParty":
        """That of an installation; on a loopback address it is `localhost`, because addresses have none.

        Raises:
            Conflict: the installation has no name, or no TLS.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        loopback = host == "localhost" or _is_loopback(host)
        if (_is_address(host) and not loopback) or (parts.scheme != "https" and not loopback):
            raise Conflict(
                "Passkeys need a public address with a host name and TLS; "
                "set url to https://NAME, and serve it with TLS.",
                code="passkeys_unavailable",
            )
        name = "localhost" if loopback else host
        port = f":{parts.port}" if parts.port not in (None, _PORTS.get(parts.scheme)) else ""
        return cls(name, f"{parts.scheme}://{name}{port}")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return _is_address(host) and ip_address(host).is_loopback


@dataclass(frozen=True, slots=True)
class NewCredential:
    """What an authenticator made."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: tuple[str, ...]
    backed_up: bool


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an authenticator says about a challenge; nothing of it is verified yet.

    Attributes:
        user_handle: whose it says it is; empty where it says nothing.
        answer: the whole of it.
    """

    credential_id: bytes
    user_handle: bytes
    answer: Any


def refused() -> Refused:
    """The one answer to a passkey that does not pass."""
    return Refused("This passkey was not accepted.", code="passkey_refused")


def registration_options(
    party: RelyingParty, user_id: str, email: str, name: str, challenge: bytes, known: Sequence[Passkey]
) -> str:
    """What `navigator.credentials.create` is asked, as JSON."""
    from webauthn import generate_registration_options, options_to_json  # noqa: PLC0415 - slow to import
    from webauthn.helpers.structs import (  # noqa: PLC0415 - the same
        AttestationConveyancePreference,
        AuthenticatorSelectionCriteria,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    made = generate_registration_options(
        rp_id=party.id,
        rp_name=NAME,
        user_id=user_id.encode(),
        user_name=email,
        user_display_name=name,
        challenge=challenge,
        timeout=_TIMEOUT_MS,
        attestation=AttestationConveyancePreference.NONE,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            require_resident_key=True,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_described(known),
    )
    return options_to_json(made)


def assertion_options(party: RelyingParty, challenge: bytes, known: Sequence[Passkey] = ()) -> str:
    """What `navigator.credentials.get` is asked, as JSON; any passkey of ours where none is named."""
    from webauthn import generate_authentication_options, options_to_json  # noqa: PLC0415 - slow to import
    from webauthn.helpers.structs import UserVerificationRequirement  # noqa: PLC0415 - the same

    made = generate_authentication_options(
        rp_id=party.id,
        challenge=challenge,
        timeout=_TIMEOUT_MS,
        allow_credentials=_described(known),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json(made)


def _described(known: Sequence[Passkey]) -> list["PublicKeyCredentialDescriptor"]:
    from webauthn.helpers.structs import (  # noqa: PLC0415 - slow to import
        AuthenticatorTransport,
        PublicKeyCredentialDescriptor,
    )

    return [
        PublicKeyCredentialDescriptor(
            id=one.credential_id,
            transports=[AuthenticatorTransport(each) for each in one.transports if each in _TRANSPORTS],
        )
        for one in known
    ]


def check_registration(party: RelyingParty, challenge: bytes, answer: str) -> NewCredential:
    """What an authenticator made, once everything about it is right.

    Raises:
        Refused: something is not: challenge, origin, relying party, user verification, or the form.
    """
    from webauthn import verify_registration_response  # noqa: PLC0415 - slow to import
    from webauthn.helpers import parse_registration_credential_json  # noqa: PLC0415 - the same

    if len(answer) > MAX_ANSWER:
        raise refused()
    try:
        parsed = parse_registration_credential_json(answer)
        made = verify_registration_response(
            credential=parsed,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
        )
    # What a browser sends is anything; the library's errors for it are of many kinds.
    except Exception as error:
        raise refused() from error
    reached = tuple(each.value for each in parsed.response.transports or [])
    return NewCredential(
        made.credential_id, made.credential_public_key, made.sign_count, reached, made.credential_backed_up
    )


def read_assertion(answer: str) -> Assertion:
    """Take an answer apart, without believing it.

    Raises:
        Refused: it is none.
    """
    from webauthn.helpers import parse_authentication_credential_json  # noqa: PLC0415 - slow to import

    if len(answer) > MAX_ANSWER:
        raise refused()
    try:
        parsed = parse_authentication_credential_json(answer)
    except Exception as error:  # as above
        raise refused() from error
    return Assertion(parsed.raw_id, parsed.response.user_handle or b"", parsed)


def check_assertion(party: RelyingParty, challenge: bytes, assertion: Assertion, passkey: Passkey) -> int:
    """Require that a passkey answered the challenge; the counter that it sent, which is not judged here.

    Raises:
        Refused: it did not: challenge, origin, relying party, user verification or signature are wrong.
    """
    from webauthn import verify_authentication_response  # noqa: PLC0415 - slow to import

    try:
        verified = verify_authentication_response(
            credential=assertion.answer,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=0,  # the row decides, so that of two answers one passes
            require_user_verification=True,
        )
    except Exception as error:  # as above
        raise refused() from error
    return verified.new_sign_count
