"""What a command masks in texts that it sends: the secrets it sees, and those the job's agent knows."""

from collections.abc import Mapping

import msgspec

from watchword.agent.errors import AgentError
from watchword.agent.inside.sockets import job_socket
from watchword.agent.redaction import Redactor


class _Text(msgspec.Struct):
    text: str


class Masker:
    """Masks secrets of the environment, and what the job has added by `redactor add`.

    Args:
        environ: the command's environment.
        secrets: those that it has itself.
    """

    def __init__(self, environ: Mapping[str, str], secrets: set[str]) -> None:
        self._environ = environ
        self._own = Redactor(secrets)

    def text(self, text: str) -> str:
        """Mask one text. Without a socket, as under another agent, what is seen here has to do."""
        masked = self._own.text(text)
        try:
            return job_socket(self._environ).call(_Text, "POST", "/masked", {"text": masked}).text
        except AgentError:
            return masked
