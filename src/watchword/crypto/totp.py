"""Time-based one-time passwords (RFC 6238): six digits, 30 seconds, SHA-1, which every app understands."""

import hmac

import pyotp

from watchword.crypto.values import Secret

STEP_US = 30_000_000
DIGITS = 6
_DRIFT = 1


def make_secret() -> Secret:
    """A fresh secret of 160 bits in base32 (RFC 4226 §4)."""
    return Secret(pyotp.random_base32())


def provisioning_uri(secret: Secret, account: str, issuer: str) -> Secret:
    """What an authenticator app reads from a picture; it holds the secret."""
    return Secret(pyotp.TOTP(secret.reveal()).provisioning_uri(name=account, issuer_name=issuer))


def matching_step(secret: Secret, code: str, now_us: int, last_step: int) -> int:
    """The step that a code belongs to: this one, the one before or the one after.

    Args:
        secret: the person's.
        code: what was typed; blanks are left out.
        now_us: microseconds since the epoch.
        last_step: the last step that was used up; it and those before do not pass again (RFC 6238 §5.2).

    Returns:
        The step, to be used up by one conditional UPDATE; 0 where the code does not fit.
    """
    typed = "".join(code.split())
    generator = pyotp.TOTP(secret.reveal())
    now = now_us // STEP_US
    found = 0
    for step in range(now - _DRIFT, now + _DRIFT + 1):  # all of them, so that the time says nothing
        if hmac.compare_digest(generator.generate_otp(step).encode(), typed.encode()) and step > last_step:
            found = step
    return found
