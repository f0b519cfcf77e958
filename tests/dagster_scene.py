"""A scene of Dagster+: one organization with tokens and deployments, and calls of its clients, in process."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from support import Answer, World
from watchword.dagster import app
from watchword.domain.accounts import Member, Role, User
from watchword.domain.dagsterroles import DagsterRole
from watchword.domain.deployments import Deployment, GrantScope
from watchword.domain.ids import UserId
from watchword.domain.tokens import Token
from watchword.domain.workitems import WorkItem
from watchword.edge.app import Edge
from watchword.edge.http import Message
from watchword.edge.meter import Meter
from watchword.edge.router import Router
from watchword.services import codelocations, dagstertokens, deployments
from watchword.services.context import LOCAL, Context
from watchword.services.issuing import Issued
from watchword.services.revoking import revoke
from watchword.services.workitems import enqueue_in
from watchword.store.base import Transaction

T = TypeVar("T")
ADDRESS = "192.0.2.1"
FILE = {"code_source": {"python_file": "defs.py"}}

POP = (
    "mutation($branches: Boolean $full: [String!], $limit: Int, $queues: [String])"
    " { userCloudAgent { popUserCloudAgentRequests(limit: $limit, forBranchDeployments: $branches,"
    " forFullDeployments: $full, agentQueues: $queues)"
    " { requestId requestApi requestBody deploymentName isBranchDeployment } } }"
)
ENTRIES = (
    "query($names: [String!]!, $serverless: Boolean!, $queues: [String])"
    " { deployments(deploymentNames: $names, includeAllServerlessDeployments: $serverless)"
    " { deploymentName isBranchDeployment workspaceEntries(agentQueues: $queues)"
    " { locationName serializedDeploymentMetadata hasOutdatedData hasLoadError metadataTimestamp } } }"
)
DEPLOYMENTS = "query($names: [String!]!) { deployments(deploymentNames: $names) { deploymentName } }"
AGENTS = "query($since: Float) { agents(heartbeatedSince: $since) { id status } }"
INFO = "query { deploymentInfo { deploymentName } }"
BEAT = (
    "mutation($beats: [AgentHeartbeatInput!], $errors: [String!]) { userCloudAgent {"
    " addAgentHeartbeats(serializedAgentHeartbeats: $beats, serializedErrors: $errors) { ok } } }"
)


def heartbeat(deployment: str, agent_id: str = "a1", **facts: Any) -> dict[str, str]:
    """A heartbeat as the agent's client writes it."""
    content = {
        "__class__": "AgentHeartbeat",
        "agent_id": agent_id,
        "agent_label": "one",
        "agent_type": "ProcessUserCodeLauncher",
        "timestamp": 1.0,
        "errors": None,
        "metadata": {"version": "1.13.27", "utilization_metrics": {"container": None}},
        "run_worker_statuses": None,
        "code_server_heartbeats": [],
        "agent_queues_config": {
            "__class__": "AgentQueuesConfig",
            "include_default_queue": True,
            "additional_queues": None,
        },
        **facts,
    }
    return {"deploymentName": deployment, "serializedAgentHeartbeat": json.dumps(content)}


class DagsterScene:
    """Short words for what tests of this surface do again and again."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.organization = world.first.organization
        self.admin = world.first.admin

    @property
    def context(self) -> Context:
        return self.world.context

    @property
    def edge(self) -> Edge:
        return Edge(Router(app.routes(self.world.authority)), {}, (), Meter())

    def write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        return self.world.run(self.context.store.write(work))

    # -- tokens, deployments, people ---------------------------------------------------------------

    def agent_token(self) -> Issued:
        return self.write(
            lambda tx: dagstertokens.create_agent_token_in(
                self.context, tx, LOCAL, self.organization, "ci", self.admin.id
            )
        )

    def user_token(self, owner: User | None = None) -> Issued:
        return self.write(
            lambda tx: dagstertokens.create_user_token_in(
                self.context, tx, LOCAL, self.organization, owner or self.admin, "mine"
            )
        )

    def deployment(self, name: str, base: Deployment | None = None) -> Deployment:
        return self.write(
            lambda tx: deployments.create_in(
                self.context, tx, LOCAL, self.organization, name, None, base=base
            )
        )

    def find(self, name: str) -> Deployment:
        found = self.write(lambda tx: tx.deployments.by_name(self.organization.id, name))
        assert found is not None
        return found

    def grant(self, issued: Issued, scope: GrantScope, deployment: Deployment | None = None) -> bool:
        return self.write(
            lambda tx: deployments.grant_in(self.context, tx, LOCAL, issued.token, scope, deployment, None)
        )

    def ungrant(self, issued: Issued, scope: GrantScope, deployment: Deployment | None = None) -> bool:
        return self.write(
            lambda tx: deployments.ungrant_in(self.context, tx, LOCAL, issued.token, scope, deployment)
        )

    def limited(self, *names: str) -> Issued:
        """An agent token for these full deployments alone."""
        issued = self.agent_token()
        self.ungrant(issued, GrantScope.ORGANIZATION)
        for name in names:
            self.grant(issued, GrantScope.DEPLOYMENT, self.find(name))
        return issued

    def revoke(self, token: Token) -> None:
        self.write(lambda tx: revoke(self.context, tx, LOCAL, token, None))

    def member(self, name: str, role: Role = Role.MEMBER) -> User:
        user = User(UserId(self.context.new_id()), f"{name}@example.com", name.title(), "", 7)

        async def work(tx: Transaction) -> None:
            await tx.accounts.add_user(user)
            await tx.accounts.add_member(Member(self.organization.id, user.id, role, 7))

        self.write(work)
        return user

    def role(self, user: User, deployment: Deployment | None, role: DagsterRole) -> None:
        self.write(
            lambda tx: deployments.set_role_in(
                self.context, tx, LOCAL, self.organization.id, user.id, deployment, role, None
            )
        )

    def location(self, deployment: Deployment, name: str, **document: Any) -> None:
        given = {"location_name": name, **FILE, **document}
        self.write(lambda tx: codelocations.put_in(self.context, tx, LOCAL, deployment, given, None))

    def queue(self, deployment: Deployment, api: str = "PING_LOCATION", *, queue: str = "") -> WorkItem:
        """Queue work for a deployment's agents."""
        return self.write(lambda tx: enqueue_in(self.context, tx, deployment, api, queue=queue))

    # -- calls -------------------------------------------------------------------------------------

    def call(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request through the edge."""
        sent: list[Message] = []
        given = {"content-length": str(len(body)), **(headers or {})}
        raw, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": raw,
            "raw_path": raw.encode(),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
            "client": (ADDRESS, 4000),
        }

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        self.world.run(self.edge(scope, receive, send))
        received = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        content = sent[-1]["body"]
        is_json = "json" in received.get("content-type", "")
        return Answer(sent[0]["status"], json.loads(content) if is_json else content, received)

    def ask(
        self,
        token: Issued | str | None,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        path: str = "/dagster/graphql",
        **headers: str,
    ) -> Answer:
        """A GraphQL request; `deployment="x"` and `organization="y"` become headers."""
        value = token.value.reveal() if isinstance(token, Issued) else token
        given = {f"Dagster-Cloud-{name.title()}": text for name, text in headers.items()}
        if value is not None:
            given["Dagster-Cloud-Api-Token"] = value
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        return self.call("POST", path, body, given)

    def data(
        self, token: Issued | str, query: str, variables: Mapping[str, Any] | None = None, **more: Any
    ) -> Any:
        """What a request that succeeds answers."""
        answer = self.ask(token, query, variables, **more)
        assert answer.status == 200, answer
        assert set(answer.body) == {"data"}, answer.body
        return answer.body["data"]

    def pop(self, token: Issued, *names: str, branches: bool = False, **more: Any) -> list[dict[str, Any]]:
        """Work that a poll gets."""
        variables = {"full": list(names), "branches": branches, "queues": [None], **more}
        found: list[dict[str, Any]] = self.data(token, POP, variables)["userCloudAgent"][
            "popUserCloudAgentRequests"
        ]
        return found
