"""An authority for the tests of the client library."""

from support import LiveServer
from watchword.services.context import LOCAL
from watchword.services.issuing import Issued, issue_api_token


class Authority:
    """A server with a clock of the machine, and tokens of its first administrator."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.url = server.url

    def token(self, *scopes: str, expires_at: int = 0) -> Issued:
        context, first = self.server.authority.context, self.server.first
        return self.server.run(
            context.store.write(
                lambda tx: issue_api_token(
                    context, tx, LOCAL, first.organization.id, first.admin.id, "client", scopes, expires_at
                )
            )
        )

    def revoke(self, issued: Issued) -> None:
        self.server.revoke(issued.token)

    @property
    def credential(self) -> str:
        return self.server.first.api_token.value.reveal()
