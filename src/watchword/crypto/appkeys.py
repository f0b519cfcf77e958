"""Private keys of Apps on code hosts: read, and used to say who we are (RS256, RFC 7518 §3.3)."""

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from watchword.crypto.values import Secret

_MIN_BITS = 2048
# The host's clock may be a little behind ours, and takes ten minutes at most.
_BEFORE_S = 60
_AFTER_S = 540


def reads_as_key(pem: Secret) -> bool:
    """Whether a text is a private RSA key that is long enough, in PEM and without a password."""
    try:
        key = RSAKey.import_key(pem.reveal())
    except (JoseError, ValueError, TypeError):
        return False
    return key.is_private and int(key.raw_value.key_size) >= _MIN_BITS


def app_token(pem: Secret, app_id: str, now: int) -> Secret:
    """A token by which an App is known for ten minutes; `now` in seconds."""
    claims = {"iss": app_id, "iat": now - _BEFORE_S, "exp": now + _AFTER_S}
    key = RSAKey.import_key(pem.reveal())
    return Secret(jwt.encode({"alg": "RS256"}, claims, key, algorithms=["RS256"]))
