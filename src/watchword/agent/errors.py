"""What can go wrong in the agent, as errors that say what to do."""


class AgentError(Exception):
    """Base of the errors that end a command with a message and exit status 1."""


class ConfigError(AgentError):
    """The settings do not allow a start; the message names the setting and never its secret."""


class ApiError(AgentError):
    """A call that the server refused, or that did not reach it (contract section 1.7 and 1.8).

    Attributes:
        status: HTTP status; 0 when no answer came.
        message: the server's sentence, or what the network said; the caller's token is masked in it.
        code: the server's stable word for the reason, or None.
        retry_after: seconds that the server asks to wait, or None.
        retryable: whether the same call may pass later: 429, 5xx, no answer, an answer that makes no sense.
    """

    def __init__(
        self,
        call: str,
        message: str,
        *,
        status: int = 0,
        code: str | None = None,
        retryable: bool,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{call}: {status}: {message}" if status else f"{call}: {message}")
        self.message = message
        self.status = status
        self.code = code
        self.retryable = retryable
        self.retry_after = retry_after

    @property
    def unanswered(self) -> bool:
        """Whether no answer came at all, so that the server may or may not have acted."""
        return self.status == 0
