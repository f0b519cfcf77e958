"""The routes of leaks in process: a partner's keys on loopback, signed reports, and what came of them."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric import ed25519

from services.leak_scene import LeakScene
from support import World
from watchword.cli.partnerstand import PartnerStand
from watchword.crypto.reports import ReportKey, github_headers, key_id, signed_headers
from watchword.crypto.values import Secret, digest
from watchword.domain.leaks import Sighting
from watchword.domain.tokens import State, Token
from watchword.edge.app import Edge
from watchword.edge.meter import Meter
from watchword.edge.router import Router
from watchword.leaks_api.app import routes
from watchword.services.context import LOCAL
from watchword.services.importing import import_agent_token
from watchword.services.issuing import Issued, TokenRequest
from watchword.services.leakreporters import read_reporters
from watchword.services.revoking import revoke
from watchword.store.page import Page

GITLAB_SECRET = "a secret of a GitLab server's"
ADDRESS = "203.0.113.9"


@cache
def make_key(name: str) -> ReportKey:
    """A key that lives as long as the tests: they are many, and keys take long to make."""
    assert name
    return ReportKey.generate()


@cache
def ed25519_key() -> ReportKey:
    private = ed25519.Ed25519PrivateKey.generate()
    return ReportKey(private, key_id(private.public_key()))


class Door(LeakScene):
    """An installation whose reporters are `github`, `gitlab`, `crawler` (ECDSA) and `robot` (Ed25519)."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.key, self.former = make_key("current"), make_key("former")
        self.stand = PartnerStand([(self.former, False), (self.key, True)])
        self.meter = Meter()
        self.reporters()

    def reporters(self, *more: Mapping[str, Any], **changes: Any) -> None:
        """Go on with these reporters, and other changes of the installation."""
        tables = [
            {"name": "github", "type": "github", "keys": self.stand.url},
            {"name": "gitlab", "type": "gitlab", "secret": GITLAB_SECRET},
            {"name": "crawler", "type": "signed", "public_key": make_key("crawler").public_pem()},
            {
                "name": "robot",
                "type": "signed",
                "public_key": ed25519_key().public_pem(),
                "visibility": "public",
            },
            *more,
        ]
        self.configure(leak_reporters=read_reporters(tables), **changes)

    def configure(self, **changes: Any) -> None:
        super().configure(**changes)
        self.edge = Edge(Router(routes(self.authority)), {}, (), self.meter)

    def close(self) -> None:
        self.stand.close()

    def call(
        self,
        method: str,
        path: str,
        body: object = b"",
        headers: Mapping[str, str] | None = None,
        address: str = ADDRESS,
    ) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.run(self._call(method, path, content, headers or {}, address))

    async def _call(
        self, method: str, path: str, content: bytes, headers: Mapping[str, str], address: str
    ) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.edge, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://leaks.example.com") as client:
            return await client.request(method, path, content=content, headers=dict(headers))

    def github(
        self, body: object, *, key: ReportKey | None = None, reporter: str = "github", **headers: str
    ) -> httpx.Response:
        """A report in GitHub's protocol."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        signed = github_headers(key or self.key, content) | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return self.call("POST", f"/leaks/partners/{reporter}", content, signed)

    def signed(
        self, body: object, *, key: ReportKey | None = None, reporter: str = "crawler", late: int = 0
    ) -> httpx.Response:
        """A generic signed report, sent so many seconds off our clock."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        seconds = self.world.clock.now() // 1_000_000 + late
        signed = signed_headers(key or make_key("crawler"), content, seconds)
        return self.call("POST", f"/leaks/partners/{reporter}", content, signed)

    def gitlab(self, body: object, secret: str = GITLAB_SECRET) -> httpx.Response:
        return self.call("POST", "/leaks/partners/gitlab", body, {"Authorization": secret})

    def written(self) -> tuple[int, int]:
        """How long the audit trail is, and how many reports were kept: what nothing forged may change."""
        return self.everything(), self.kept_reports()

    def sightings(self, token: Token) -> Sequence[Sighting]:
        """Where a token was seen."""
        leak, store = self.the_leak(token), self.authority.context.store
        return self.run(store.read(lambda tx: tx.leaks.sightings(leak.organization_id, leak.id, Page())))

    def revoke(self, token: Token) -> None:
        context = self.authority.context
        self.run(context.store.write(lambda tx: revoke(context, tx, LOCAL, token, self.first.admin.id)))

    def superseded(self) -> Issued:
        """A token that a rotation replaced."""
        issued, context = self.token(), self.authority.context
        owner, token_id = issued.token.organization_id, issued.token.id
        self.run(
            context.store.write(lambda tx: tx.tokens.end(owner, token_id, State.SUPERSEDED, 1, None, ""))
        )
        return issued

    def imported(self, value: str) -> Issued:
        """A token whose value was issued elsewhere, and has whatever shape."""
        context, first = self.authority.context, self.first
        request = TokenRequest(
            organization_id=self.organization_id, cluster_id=first.cluster.id, description="brought along"
        )
        token = self.run(
            context.store.write(
                lambda tx: import_agent_token(context, tx, LOCAL, request, digest(value), first.admin.id)
            )
        )
        return Issued(token, Secret(value))

    def kept_reports(self) -> int:
        store = self.authority.context.store
        return len(self.run(store.read(lambda tx: tx.leaks.reports(Page(limit=100)))))


def match(value: Secret | str, **fields: Any) -> dict[str, Any]:
    """One match as GitHub sends it."""
    text = value.reveal() if isinstance(value, Secret) else value
    usual = {"type": "Watchword_token", "url": "https://example.com/a", "source": "content"}
    return {"token": text, **usual, **fields}
