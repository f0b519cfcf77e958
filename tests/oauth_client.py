"""Clients of OAuth in process: requests go through the edge and run on the world's own loop."""

import hashlib
from base64 import b64encode, urlsafe_b64encode
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from support import World
from watchword.crypto.values import Secret, digest
from watchword.domain.accounts import Organization, User
from watchword.domain.ids import ResourceId
from watchword.domain.kinds import Kind
from watchword.domain.oauth import DEVICE_CODE, OAuthGrant
from watchword.domain.oauthapplications import BK, FLOWS, Application
from watchword.domain.tokens import State, Token
from watchword.edge.app import Edge
from watchword.edge.meter import Meter
from watchword.edge.router import Router
from watchword.oauth.app import routes
from watchword.services.access import enter_in_person
from watchword.services.oauthconsent import approve_in, read_in
from watchword.services.oauthdevices import approve_in as approve_device_in
from watchword.services.oauthdevices import waiting_in
from watchword.services.people import person_caller
from watchword.services.verifying import Presented
from watchword.store.base import Transaction

BASE = "https://watchword.example"
CLIENT = BK.client_id
REDIRECT = "http://127.0.0.1:43217/callback"
VERIFIER = "a-verifier-of-forty-three-characters-or-more"
SCOPES = "read_organizations read_agents write_agents read_user"


def challenge_of(verifier: str) -> str:
    """RFC 7636 §4.2, written down once more."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def request_of(**changes: str) -> dict[str, str]:
    """What the command line `bk` asks of the browser; "" leaves a parameter out."""
    asked = {
        "client_id": CLIENT,
        "response_type": "code",
        "scope": SCOPES,
        "redirect_uri": REDIRECT,
        "state": "a state",
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
        **changes,
    }
    return {name: value for name, value in asked.items() if value}


def basic(client_id: str, secret: str) -> dict[str, str]:
    """The header of HTTP Basic."""
    return {"authorization": "Basic " + b64encode(f"{client_id}:{secret}".encode()).decode()}


class Tool:
    """Somebody's program; it calls from an address that tests set."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.edge = Edge(Router(routes(world.authority)), {}, (), Meter())
        self.address = "198.51.100.7"

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request, as httpx takes it."""

        async def work() -> httpx.Response:
            transport = httpx.ASGITransport(
                app=self.edge, client=(self.address, 4711), raise_app_exceptions=False
            )
            async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
                return await client.request(method, path, **options)

        return self.world.run(work())

    def post(self, path: str, fields: dict[str, str], **options: Any) -> httpx.Response:
        """A form."""
        return self.call("POST", path, data=fields, **options)

    def token(self, grant_type: str, **fields: str) -> httpx.Response:
        """Ask the token endpoint."""
        return self.post("/oauth/token", {"grant_type": grant_type, **fields})

    # -- whole flows ---------------------------------------------------------------------------------

    def approve(
        self, user: User | None = None, organization: Organization | None = None, /, **changes: str
    ) -> str:
        """Somebody approves in the browser; the code that comes back."""
        asked = request_of(**changes)
        person = user or self.world.first.admin
        home = organization or self.world.first.organization
        context = self.world.context

        async def work(tx: Transaction) -> str:
            caller = person_caller(person, "203.0.113.9", "a browser")
            access = await enter_in_person(tx, person, home.slug, caller)
            found = await read_in(tx, {name: [value] for name, value in asked.items()})
            return await approve_in(context, tx, access, found)

        url = self.world.run(context.store.write(work))
        return dict(parse_qsl(urlsplit(url).query))["code"]

    def redeem(self, code: str, **changes: str) -> httpx.Response:
        """Redeem a code as `bk` does."""
        fields = {
            "code": code,
            "client_id": CLIENT,
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
            **changes,
        }
        return self.token("authorization_code", **{name: value for name, value in fields.items() if value})

    def connect(self, user: User | None = None) -> dict[str, Any]:
        """The whole flow of the browser; what the client is given."""
        answer = self.redeem(self.approve(user))
        assert answer.status_code == 200, answer.text
        given: dict[str, Any] = answer.json()
        return given

    def refresh(self, value: str, **fields: str) -> httpx.Response:
        """Renew."""
        return self.token("refresh_token", refresh_token=value, **{"client_id": CLIENT, **fields})

    def start_device(self, **changes: str) -> httpx.Response:
        """Begin a device authorization."""
        return self.post("/oauth/device_authorization", {"client_id": CLIENT, "scope": SCOPES, **changes})

    def poll(self, device_code: str, **changes: str) -> httpx.Response:
        """Ask whether it was approved."""
        return self.token(DEVICE_CODE, device_code=device_code, **{"client_id": CLIENT, **changes})

    def approve_device(self, user_code: str, user: User | None = None) -> None:
        """Somebody approves a device in the browser."""
        person, context = user or self.world.first.admin, self.world.context

        async def work(tx: Transaction) -> None:
            caller = person_caller(person, "203.0.113.9", "a browser")
            access = await enter_in_person(tx, person, self.world.first.organization.slug, caller)
            await approve_device_in(context, tx, access, await waiting_in(context, tx, user_code))

        self.world.run(context.store.write(work))

    def deny_device(self, user_code: str) -> bool:
        """Somebody refuses a device."""
        now, user = self.world.clock.now(), self.world.first.admin.id
        return self.world.run(
            self.world.context.store.write(lambda tx: tx.oauth.deny_device(digest(user_code), now, user))
        )

    # -- what is there -------------------------------------------------------------------------------

    def find(self, value: str) -> Token:
        """The record of a value."""
        found = self.world.run(self.world.context.store.read(lambda tx: tx.tokens.by_digest(digest(value))))
        assert found is not None
        return found

    def grant(self, value: str) -> OAuthGrant:
        """The connected application of a value."""
        token = self.find(value)
        grant_id = token.resource_id or ResourceId("")
        found = self.world.run(
            self.world.context.store.read(lambda tx: tx.oauth.grant(token.organization_id, grant_id))
        )
        assert found is not None
        return found

    def state(self, value: str) -> State:
        """Whether a value is alive."""
        return self.find(value).state_at(self.world.clock.now())

    def passes(self, value: str) -> Presented:
        """What the verifier makes of an access token."""
        return self.world.run(
            self.world.authority.verifier.verify(value, (Kind.API_ACCESS,), address="198.51.100.7")
        )

    def actions(self) -> list[str]:
        """What the first organization's trail says."""
        home = self.world.first.organization.id
        events = self.world.run(self.world.context.store.read(lambda tx: tx.audit.events(home, 0, 1000)))
        return [event.action.value for event in events]

    def register(self, secret: str = "", **changes: Any) -> Application:
        """An application of the first organization's."""
        first, context = self.world.first, self.world.context
        made = Application(
            organization_id=first.organization.id,
            id=ResourceId(context.new_id()),
            client_id=hashlib.sha256(context.new_id().encode()).hexdigest()[:20],
            name="Deploy desk",
            redirect_uris=("https://desk.example/callback",),
            confidential=bool(secret),
            secret_digest=digest(secret) if secret else b"",
            flows=FLOWS,
            scopes=SCOPES,
            token_seconds=3600,
            refresh=True,
            created_at=context.clock.now(),
            created_by=first.admin.id,
            updated_at=context.clock.now(),
        )
        application = replace(made, **changes)
        self.world.run(context.store.write(lambda tx: tx.oauth.add_application(application)))
        return application


def shown(secret: Secret | None) -> str:
    """The value of a secret."""
    return secret.reveal() if secret is not None else ""
