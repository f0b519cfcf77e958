"""The tree of errors: each has a stable code, an HTTP status and a sentence that says what to do.

WatchwordError
├── Invalid       422  the request is understood and its content is not acceptable
│   └── Malformed 400  it cannot be understood
├── Refused       401  the presented token does not pass (carries a reason code)
├── Forbidden     403  it passes, and may not do this
├── NotFound      404  no such thing, or not for this caller
├── Conflict      422  the thing is in a state that does not allow it (409 where a contract says so)
├── TooLarge      413
├── Locked        423  it waits for something else; try again
├── TooMany       429
└── Unavailable   503  not now; try again
"""


class WatchwordError(Exception):
    """Base of all errors that reach a client.

    Attributes:
        message: one sentence for people.
        code: stable word for programs.
        status: HTTP status.
        retry_after: seconds after which the same call may pass; 0 where nothing is known of that.
    """

    status = 500
    code = "internal_error"
    retry_after = 0

    def __init__(self, message: str, *, code: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        if status is not None:
            self.status = status


class Invalid(WatchwordError):
    """The content of a request is not acceptable."""

    status = 422
    code = "invalid"


class Malformed(Invalid):
    """The request cannot be understood."""

    status = 400
    code = "malformed"


class Refused(WatchwordError):
    """The presented token does not pass; `code` is the verifier's reason."""

    status = 401
    code = "token_refused"


class Forbidden(WatchwordError):
    """The token passes and may not do this."""

    status = 403
    code = "forbidden"


class NotFound(WatchwordError):
    """There is no such thing, or not for this caller: the two answer alike."""

    status = 404
    code = "not_found"


class Conflict(WatchwordError):
    """The thing is in a state that does not allow the operation."""

    status = 422
    code = "conflict"


class TooLarge(WatchwordError):
    """The body or one of its parts is over its limit."""

    status = 413
    code = "too_large"


class Locked(WatchwordError):
    """The thing waits for another one; the same call may pass later."""

    status = 423
    code = "locked"
    retry_after = 15


class TooMany(WatchwordError):
    """A budget is used up for now."""

    status = 429
    code = "too_many_requests"
    retry_after = 1


class Unavailable(WatchwordError):
    """Not now; the same call may pass later."""

    status = 503
    code = "unavailable"
    retry_after = 1
