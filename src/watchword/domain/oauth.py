"""OAuth 2.0 (RFC 6749, 7636, 8252, 8628): the error of every endpoint, and the words of grants."""

from watchword.domain.errors import WatchwordError

AUTHORIZATION_CODE = "authorization_code"
REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of a grant
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
_UNAUTHORIZED = 401


class OAuthError(WatchwordError):
    """An error of RFC 6749 §5.2 and its companions: `code` is the word `error`, `message` the description.

    Attributes:
        challenge: whether the client tried HTTP Basic, which is answered by 401 and a challenge.
    """

    status = 400
    code = "invalid_request"

    def __init__(self, code: str, message: str, *, challenge: bool = False) -> None:
        super().__init__(message, code=code, status=_UNAUTHORIZED if challenge else None)
        self.challenge = challenge
