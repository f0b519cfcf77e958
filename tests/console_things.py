"""One thing of each sort in an organization, by the names that console paths have; a test gives the texts."""

import json
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Protocol, TypeVar, cast

from rest_client import InProcess, Rest
from support import World
from watchword.crypto.values import digest
from watchword.domain.accounts import Cluster, Member, Role, User
from watchword.domain.caches import CacheEntry, EntryState
from watchword.domain.dagsteragents import AgentFault
from watchword.domain.dagsterroles import DagsterRole
from watchword.domain.events import SYSTEM
from watchword.domain.fleet import Agent
from watchword.domain.ids import (
    CacheEntryId,
    CacheRegistryId,
    ClusterId,
    IncidentId,
    JobId,
    PackageId,
    PasskeyId,
    PipelineId,
    RegistryId,
    ResourceId,
    TokenId,
    UserId,
    uuid7,
)
from watchword.domain.incidents import Incident, IncidentKind, IncidentState
from watchword.domain.kinds import Kind
from watchword.domain.leaks import Visibility
from watchword.domain.oauthapplications import BK
from watchword.domain.packages import Package
from watchword.domain.passkeys import Identity, Passkey
from watchword.domain.pipelines import Job
from watchword.domain.portals import PortalCode
from watchword.domain.securitypolicy import ReuseResponse
from watchword.services import artifacts, logs
from watchword.services.access import enter_in_person
from watchword.services.accounts import FirstThings, add_cluster
from watchword.services.artifactbytes import take
from watchword.services.attention import tell_incident
from watchword.services.authority import Authority
from watchword.services.banners import set_banner
from watchword.services.context import LOCAL, Caller
from watchword.services.dagsteragents import Heartbeat
from watchword.services.dagstertokens import create_agent_token_in, create_user_token_in
from watchword.services.deployments import create_in, set_role_in
from watchword.services.exchanging import Registration, register
from watchword.services.issuing import Issued, TokenRequest, issue_agent_token, issue_api_token
from watchword.services.leakfinding import Item
from watchword.services.leakreports import Source
from watchword.services.oauthclients import Credentials
from watchword.services.oauthdevices import approve_in as approve_device_in
from watchword.services.oauthdevices import waiting_in
from watchword.services.people import person_caller
from watchword.services.second_factor import count_passkeys
from watchword.services.sessions import open_session
from watchword.store.base import EVERYTHING, Transaction
from watchword.web.app import ROUTES, Route
from watchword.web.statics import address

T = TypeVar("T")
Say = Callable[[str], str]
ADDRESS = "192.0.2.1"
ABSENT = uuid7(1_700_000_000_000_000, b"0123456789")
SLUGS = ("pipeline", "portal", "code")
LONG = 255


_PARAMETER = re.compile(r"{(\w+)}")
# What answers without end while something goes on.
STREAMS = ("/events", "/log/events")
# Challenges for the script, and the way to a provider, which an installation need not have.
NO_PAGES = ("/passkey", "/challenge", "/{provider}", "/export")


class Ground(Protocol):
    """A world, or a live server."""

    @property
    def authority(self) -> Authority: ...

    def run(self, work: Coroutine[Any, Any, T]) -> T: ...


def absent(name: str) -> str:
    """What a path may say of a thing that nobody has."""
    if name == "number":
        return "999999"
    return "nobodys" if name in SLUGS else ABSENT


def parameters_of(route: Route) -> list[str]:
    """Names in a route's path."""
    return _PARAMETER.findall(route.path)


def path_of(route: Route, things: "Things", **named: str) -> str:
    """A route's path to things, but for those that are named."""
    known = {**things.named(route.path), **named}
    for name in parameters_of(route):
        assert name in known, f"tell console_things what {{{name}}} is"
    return _PARAMETER.sub(lambda found: known[found[1]], route.path)


def nowhere(route: Route, things: "Things") -> str:
    """A route's path to things that nobody has."""
    return path_of(route, things, **{name: absent(name) for name in parameters_of(route) if name != "org"})


def pages_of(things: "Things") -> dict[str, str]:
    """Every page that somebody signed in opens, and its address for these things."""
    return {
        route.path: path_of(route, things)
        for route in ROUTES
        if route.method == "GET"
        and route.operation is not None
        and not route.path.endswith((*STREAMS, *NO_PAGES))
    }


def plain(field: str) -> str:
    """Texts that say which field they stand in."""
    return f"some {field}"


async def _bytes(data: bytes) -> AsyncIterator[bytes]:
    yield data


class Things:
    """The things.

    Attributes:
        ids: by the name that paths have for them; see `named` for tokens.
        member: a member who maintains nothing.
        maintainer: one who maintains the cluster.
        other_cluster: a cluster that nobody maintains.
        said: the fields whose texts stand somewhere.
    """

    def __init__(
        self,
        ground: Ground,
        first: FirstThings,
        *,
        say: Say = plain,
        transport: InProcess | None = None,
    ) -> None:
        self.ground, self.first = ground, first
        self.said: dict[str, str] = {}
        self._say = say
        self.slug = first.organization.slug
        self.rest = Rest(cast("World", ground), first.api_token.value, self.slug, transport)
        _, _, version, name = address("console.css").split("/")
        self.ids: dict[str, str] = {
            "org": self.slug,
            "nonce": "AB12CD34",
            "user": first.admin.id,
            "version": version,
            "name": name,
        }
        self._make_people()
        self._make_cluster()
        self._make_tokens()
        self._make_dagster()
        self._make_agents()
        self._make_build()
        self._work_on_job()
        self._make_settings()
        self._make_way_in()
        self._make_portal()
        self._make_registry()

    # -- short words -----------------------------------------------------------------------------

    @property
    def authority(self) -> Authority:
        return self.ground.authority

    def say(self, field: str, most: int = LONG) -> str:
        """The text of a field."""
        self.said[field] = self._say(field)[:most]
        return self.said[field]

    def write(self, work: Callable[[Transaction], Coroutine[Any, Any, T]]) -> T:
        return self.ground.run(self.authority.context.store.write(work))

    def made(self, path: str, body: dict[str, Any], status: int = 201, method: str = "POST") -> Any:
        answer = self.rest(method, path, json=body)
        assert answer.status_code == status, (path, answer.text)
        return answer.json() if answer.content else None

    def named(self, path: str) -> dict[str, str]:
        """What stands for each name in a path: tokens have one of several kinds."""
        if "/api-access-tokens" in path or "/tokens/api/" in path:
            token = self.api.token.id
        elif "/unclustered/" in path:
            token = self.unclustered.token.id
        elif "/registries/" in path:
            token = self.registry_token
        elif "/dagster/tokens/user" in path:
            token = self.dagster_user_token.token.id
        elif "/portals/" in path or "/portal-tokens/" in path:
            token = self.portal_secret if "/secrets/" in path else self.portal_token
        elif "/dagster/" in path:
            token = self.dagster_agent_token.token.id
        else:
            token = self.agent_token.token.id
        found = {**self.ids, "token": token}
        if "/teams/" in path:
            found["user"] = self.maintainer.id
        elif "/settings/members/" in path:
            found["user"] = self.member.id
        if "/steps/" in path:
            found["step"] = self.ids["block"]
        return found

    # -- the things ------------------------------------------------------------------------------

    def person(self, name: str, role: Role = Role.MEMBER, field: str = "") -> User:
        """A new member."""
        context = self.authority.context
        shown = self.say(field) if field else name.title()
        email = f"{name}@{self.slug}.example"
        user = User(UserId(context.new_id()), email, shown, "", context.clock.now())

        async def work(tx: Transaction) -> User:
            await tx.accounts.add_user(user)
            await tx.accounts.add_member(Member(self.first.organization.id, user.id, role, user.created_at))
            return user

        return self.write(work)

    def _make_registry(self) -> None:
        """A registry with a token and a package in it."""
        at = f"/v2/packages/organizations/{self.slug}/registries"
        asked = {
            "name": self.say("registry", 100),
            "ecosystem": "python",
            "description": self.say("registry description"),
        }
        registry = self.made(at, asked, 200)
        described = {"description": self.say("registry token")}
        token = self.made(f"{at}/{registry['id']}/tokens", described, 200)
        self.registry_token = TokenId(token["id"])
        package = Package(
            organization_id=self.first.organization.id,
            id=PackageId(self.authority.context.new_id()),
            registry_id=RegistryId(registry["id"]),
            name="tiny",
            project="tiny",
            version="1.0",
            summary=self.say("package summary"),
            created_at=self.authority.context.clock.now(),
            created_by=None,
        )
        self.write(lambda tx: tx.packages.add(package))
        self.ids |= {"registry": registry["id"], "package": package.id}

    def _make_people(self) -> None:
        self.member = self.person("member", field="name of a person")
        self.maintainer = self.person("maintainer")
        team = self.made(
            "teams",
            {"name": self.say("team"), "description": self.say("team description"), "privacy": "visible"},
        )["id"]
        self.made(f"teams/{team}/members", {"user_id": self.maintainer.id, "role": "member"})
        (invitation,) = self.made("invitations", {"emails": [f"new@{self.slug}.example"]})
        self.ids |= {"team": team, "invitation": invitation["id"]}

    def _make_cluster(self) -> None:
        context, organization_id = self.authority.context, self.first.organization.id
        self.other_cluster: Cluster = self.write(
            lambda tx: add_cluster(context, tx, LOCAL, organization_id, "nobody's own")
        )
        cluster = self.first.cluster.id
        changed = {"name": self.say("cluster"), "description": self.say("cluster description")}
        self.made(f"clusters/{cluster}", changed, 200, "PATCH")
        queue = self.made(
            f"clusters/{cluster}/queues", {"key": "second", "description": self.say("queue description")}
        )["id"]
        note = {"dispatch_paused_note": self.say("queue note")}
        self.made(f"clusters/{cluster}/queues/{queue}/pause_dispatch", note, 200)
        secret = self.made(
            f"clusters/{cluster}/secrets",
            {"key": "KEY", "value": "a value", "description": self.say("secret description")},
        )["id"]
        issuer = {
            "name": self.say("trusted issuer"),
            "issuer": "https://issuer.example",
            "rules": [{"claim": "sub", "value": "one"}],
        }
        trusted = self.made(f"clusters/{cluster}/trusted-issuers", issuer)["id"]
        maintainers = f"clusters/{cluster}/maintainers"
        maintainer = self.made(maintainers, {"user": self.maintainer.id})["id"]
        self.made(maintainers, {"team": self.ids["team"]})
        self.ids |= {"cluster": cluster, "queue": queue, "secret": secret, "maintainer": maintainer}
        self.ids["trusted_issuer"] = trusted
        self._make_caches(cluster)

    def _make_caches(self, cluster: str) -> None:
        registry = self.made(
            f"clusters/{cluster}/cache_registries", {"name": self.say("cache name", 60), "slug": "built"}
        )["id"]
        now = self.authority.context.clock.now()
        entry = CacheEntry(
            organization_id=self.first.organization.id,
            id=CacheEntryId(self.authority.context.new_id()),
            cluster_id=ClusterId(cluster),
            registry_id=CacheRegistryId(registry),
            scope="",
            state=EntryState.LIVE,
            address="address",
            family="",
            target_paths=(self.say("cache path"),),
            cache_key=json.dumps([{"value": self.say("cache key"), "mandatory": True}]),
            blobs="[]",
            size=7,
            platform="linux/amd64",
            pipeline_id=PipelineId("pipeline"),
            branch="main",
            job_id=JobId("job"),
            created_at=now,
            used_at=now,
            expires_at=now + 1_000_000_000_000,
        )
        self.write(lambda tx: tx.caches.add_entry(entry))
        self.ids |= {"cache_registry": registry, "cache_entry": entry.id}

    def _agent_token(self, field: str, *, unclustered: bool = False) -> Issued:
        context, first = self.authority.context, self.first
        request = TokenRequest(
            organization_id=first.organization.id,
            cluster_id=None if unclustered else first.cluster.id,
            description=self.say(field),
        )
        return self.write(lambda tx: issue_agent_token(context, tx, LOCAL, request, first.admin.id))

    def api_token(self, user: User, description: str) -> Issued:
        """An API access token of a person."""
        context, organization_id = self.authority.context, self.first.organization.id
        scopes = ("read_builds", "write_clusters")
        return self.write(
            lambda tx: issue_api_token(context, tx, LOCAL, organization_id, user.id, description, scopes)
        )

    def _make_tokens(self) -> None:
        self.agent_token = self._agent_token("agent token")
        self.unclustered = self._agent_token("unclustered agent token", unclustered=True)
        self.api = self.api_token(self.first.admin, self.say("API access token"))
        self.theirs = self.api_token(self.member, self.say("API access token of a member"))
        verifier, kinds = self.authority.verifier, (Kind.API_ACCESS,)
        client = self.say("client", 100)
        self.ground.run(verifier.verify(self.api.value.reveal(), kinds, address=ADDRESS, agent=client))
        incident = Incident(
            organization_id=self.first.organization.id,
            id=IncidentId(self.authority.context.new_id()),
            kind=IncidentKind.REUSE,
            state=IncidentState.OPEN,
            token_id=self.theirs.token.id,
            agent_id=None,
            response=ReuseResponse.ALARM,
            shared=False,
            held=(),
            addresses=(ADDRESS,),
            count=1,
            first_at=self.authority.context.clock.now(),
            last_at=self.authority.context.clock.now(),
            note=self.say("incident note"),
        )

        async def add(tx: Transaction) -> None:
            await tx.incidents.add(incident)
            await tell_incident(self.authority.context, tx, incident)

        self.write(add)
        self.ids["incident"] = incident.id
        self._make_leak()

    def _make_leak(self) -> None:
        """A case of the administrator's API access token, which still works."""
        authority = self.authority
        source = Source(name=self.say("leak reporter", 50), visibility=Visibility.PRIVATE)
        item = Item(value=self.api.value, url=self.say("leak url"), place=self.say("leak place", 50))
        take = authority.leak_reports.take(LOCAL, source, [item], body=self.slug.encode())
        (answer,) = self.ground.run(take)
        assert answer.leak is not None
        self.ids["leak"] = answer.leak.id

    def _make_dagster(self) -> None:
        context, organization, admin = self.authority.context, self.first.organization, self.first.admin
        described = self.say("Dagster agent token")
        self.dagster_agent_token = self.write(
            lambda tx: create_agent_token_in(context, tx, LOCAL, organization, described, admin.id)
        )
        mine = self.say("Dagster user token")
        self.dagster_user_token = self.write(
            lambda tx: create_user_token_in(context, tx, LOCAL, organization, admin, mine)
        )
        self.dagster_theirs = self.write(
            lambda tx: create_user_token_in(context, tx, LOCAL, organization, self.member, mine)
        )
        branch = json.dumps({"branch_name": self.say("name of a branch", 100)})

        async def deploy(tx: Transaction) -> None:
            staging = await create_in(context, tx, LOCAL, organization, f"staging-{self.slug}", admin.id)
            await create_in(context, tx, LOCAL, organization, "f00d", None, base=staging, branch=branch)
            role = DagsterRole.EDITOR
            await set_role_in(context, tx, LOCAL, organization.id, self.member.id, staging, role, admin.id)

        self.write(deploy)
        self._hear_dagster_agent()
        self.ids["deployment"] = f"staging-{self.slug}"

    def _hear_dagster_agent(self) -> None:
        value, now = self.dagster_agent_token.value.reveal(), self.authority.context.clock.now()
        guest = self.ground.run(
            self.authority.dagster_door.enter(value, Caller(SYSTEM, ADDRESS, user_agent="agent"))
        )
        facts = {"version": self.say("Dagster agent version", 50)}
        label, kind = self.say("Dagster agent label", 100), self.say("Dagster agent type", 100)
        heartbeat = Heartbeat("prod", ABSENT, label, kind, ("",), facts)
        error = AgentFault(now, self.say("Dagster agent error"))
        self.authority.dagster_fleet.heard(guest, [heartbeat], [error])

    def _agent(self, issued: Issued, registration: Registration) -> Agent:
        kinds = (Kind.AGENT, Kind.UNCLUSTERED_AGENT)
        verifier, context = self.authority.verifier, self.authority.context
        presented = self.ground.run(verifier.verify(issued.value.reveal(), kinds, address=ADDRESS))
        joined = self.ground.run(register(context, self.authority.fleet, LOCAL, presented, registration))
        self.ground.run(self.authority.fleet.connect(LOCAL, self.first.organization.id, joined.agent.id))
        return joined.agent

    def _make_agents(self) -> None:
        described = Registration(
            name=self.say("agent"),
            hostname=self.say("agent hostname"),
            os=self.say("agent os", 100),
            arch=self.say("agent arch", 50),
            version=self.say("agent version", 50),
            build=self.say("agent build", 50),
            tags=("queue=default", f"tag={self.say('agent tag', 100)}"),
        )
        self.agent = self._agent(self.agent_token, described)
        paused = self._agent(self.unclustered, Registration(name=self.say("unclustered agent")))
        note = {"note": self.say("agent note"), "timeout_in_minutes": 5}
        self.made(f"agents/{paused.id}/pause", note, 204, "PUT")
        self.ids["agent"] = self.agent.id

    def _make_build(self) -> None:
        fields = [
            {
                "text": self.say("field"),
                "key": "words",
                "hint": self.say("field hint"),
                "default": self.say("field default"),
            },
            {
                "select": self.say("choice"),
                "key": "chosen",
                "options": [{"label": self.say("option"), "value": self.say("option value")}],
            },
        ]
        steps = [
            {"label": self.say("label"), "command": self.say("command"), "key": "first"},
            {"block": self.say("block"), "prompt": self.say("prompt"), "fields": fields, "key": "gate"},
            {"group": self.say("group"), "steps": [{"label": self.say("grouped"), "command": "true"}]},
        ]
        pipeline = self.made(
            "pipelines",
            {
                "name": f"{self.slug} {self.say('pipeline', 100)}",
                "description": self.say("pipeline description"),
                "repository": self.say("repository"),
                "default_branch": self.say("default branch", 100),
                "tags": [self.say("pipeline tag", 50)],
                "env": {"NAME": self.say("pipeline variable")},
                "cluster_id": self.first.cluster.id,
                "configuration": json.dumps({"steps": steps}),
            },
        )["slug"]
        build = self.made(
            f"pipelines/{pipeline}/builds",
            {
                "commit": self.say("commit", 100),
                "branch": self.say("branch", 100),
                "message": self.say("message", 1000),
                "tag": self.say("tag", 100),
                "author": {"name": self.say("author"), "email": self.say("author address")},
                "env": {"NAME": self.say("build variable")},
                "meta_data": {"key": self.say("meta-data")},
            },
        )
        self.ids |= {"pipeline": pipeline, "number": str(build["number"]), "job": build["jobs"][0]["id"]}
        self.build_id = build["id"]
        for step in self.ground.run(self._steps(build["id"])):
            if step.step.key == "gate":
                self.ids |= {"block": step.id, "step": step.id}

    async def _steps(self, build_id: str) -> Any:
        organization_id = self.first.organization.id
        return await self.authority.context.store.read(
            lambda tx: tx.steps.of_build(organization_id, cast("Any", build_id))
        )

    def _work_on_job(self) -> None:
        authority, context = self.authority, self.authority.context
        run = self.ground.run
        accepted = run(authority.dispatcher.accept(LOCAL, self.agent.id, JobId(self.ids["job"])))
        run(authority.finisher.start(LOCAL, accepted.job))
        job: Job = accepted.job
        text = f"--- {self.say('log group')}\n\x1b[31m{self.say('log line')}\x1b[0m\n"
        run(logs.add_chunk(context, job, 1, 0, text.encode()))
        for scope in ("build", "job"):
            body = f"**{scope}** {self.say(f'annotation of the {scope}', 1000)}"
            note = logs.Note(body=body, context=self.say(f"context of the {scope}", 100), scope=scope)
            run(logs.annotate(context, job, note))
        run(logs.set_meta_data(context, job, [("words", self.say("meta-data of a job"))]))
        files = [
            artifacts.File(path=self.say("artifact elsewhere"), size=1, url=self.say_address("artifact url")),
            artifacts.File(path=self.say("artifact"), size=1, content_type="text/html"),
        ]
        for file in files:
            asked = artifacts.Announcement(
                batch_id=context.new_id(),
                files=[file],
                upload_destination="s3://bucket/x" if file.url else "",
            )
            (made,) = run(artifacts.announce(context, job, asked, "http://127.0.0.1")).artifacts
            receipts = {} if file.url else {1: run(take(context, made, 1, _bytes(b"<")))}
            run(
                artifacts.settle(context, job, [artifacts.Outcome(made.id, finished=True, receipts=receipts)])
            )
            self.ids["artifact"] = made.id

    def say_address(self, field: str) -> str:
        """The text of a field that takes addresses with a scheme alone."""
        text = "".join(letter for letter in self._say(field) if "!" <= letter <= "~")
        return f"https://files.example/{text}"[:LONG]

    def _make_settings(self) -> None:
        context, first = self.authority.context, self.first
        message = self.say("banner", 1000)
        self.write(lambda tx: set_banner(context, tx, LOCAL, first.organization.id, message, first.admin.id))
        hook = {
            "provider": "webhook",
            "description": self.say("webhook description"),
            "settings": {"url": "https://example.com/hook"},
        }
        service = self.made("services", hook)["id"]
        self.rest("POST", f"services/{service}/ping", json={})
        delivery = self.rest("GET", f"services/{service}/deliveries").json()["items"][0]["id"]
        event = self.rest("GET", "audit_events").json()["items"][0]["uuid"]
        self.ids |= {"service": service, "delivery": delivery, "event": event}

    def _make_way_in(self) -> None:
        """What the administrator signs in with, and where they are."""
        context, user = self.authority.context, self.first.admin
        passkey = Passkey(
            user_id=user.id,
            id=PasskeyId(context.new_id()),
            credential_id=user.id.encode(),
            public_key=b"none",
            sign_count=0,
            name=self.say("passkey"),
            transports=(),
            backed_up=False,
            created_at=context.clock.now(),
        )
        identity = Identity("https://id.example", user.id, user.id, self.say("address elsewhere"), 1, 1)
        by = Caller(SYSTEM, ADDRESS, "", self.say("browser"))

        async def work(tx: Transaction) -> str:
            await tx.proofs.add_passkey(passkey)
            await count_passkeys(tx, user.id)
            await tx.proofs.add_identity(identity)
            return (await open_session(context, tx, user, by, "password", complete=True)).session.id

        self.ids |= {"passkey": passkey.id, "session": self.write(work), "provider": "corp"}
        self._make_connected()

    def _make_portal(self) -> None:
        """A portal with a token, a secret, and a code that waits longer than any does."""
        slug = f"tools-{self.slug}"
        query = "query Tools { viewer { user { name } } }"
        body = {"name": self.say("portal", 200), "slug": slug, "query": query, "user_invokable": True}
        portal = self.made("portals", {**body, "description": self.say("portal's description", 1000)})
        (token,) = self.rest("GET", f"portals/{slug}/tokens").json()
        secret = self.made(f"portals/{slug}/secrets", {"description": self.say("portal secret", 200)})
        self.portal_token, self.portal_secret = token["id"], secret["id"]
        code, far = f"code-{self.slug}", self.authority.context.clock.now() * 2
        waiting = PortalCode(
            self.first.organization.id,
            ResourceId(portal["uuid"]),
            digest(code),
            b"secret",
            1,
            far,
            ADDRESS,
            self.say("program"),
        )
        self.write(lambda tx: tx.portals.add_code(waiting))
        self.ids |= {"portal": slug, "code": code}

    def _make_connected(self) -> None:
        """An application that was let in, and a device that waits."""
        context = self.authority.context
        credentials = Credentials(BK.client_id)
        scope = "read_agents write_agents"
        caller = Caller(SYSTEM, ADDRESS, user_agent="tests")
        door, run = self.authority.oauth, self.ground.run
        first, waiting = (run(door.start_device(caller, credentials, scope)) for _ in range(2))

        async def approve(tx: Transaction) -> None:
            by = person_caller(self.first.admin, ADDRESS, "tests")
            access = await enter_in_person(tx, self.first.admin, self.slug, by)
            await approve_device_in(context, tx, access, await waiting_in(context, tx, first.user_code))

        self.write(approve)
        run(door.poll(caller, credentials, first.device_code))
        (grant, *_) = run(
            context.store.read(lambda tx: tx.oauth.grants_of_user(self.first.admin.id, EVERYTHING))
        )
        desk = {"name": self.say("OAuth application", 90), "scopes": ["read_agents"]}
        made = self.made("oauth-applications", {**desk, "redirect_uris": ["https://desk.example/"]})
        self.ids |= {"grant": grant.id, "user_code": waiting.user_code, "application": made["id"]}
