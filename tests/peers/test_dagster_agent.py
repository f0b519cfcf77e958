"""The Dagster Hybrid agent, unmodified, against a whole server (contract dagster-agents-api §5 to §9).

One agent goes through all of it, because each takes seconds to start; another shows how it ends that may not
serve what it is configured for.
"""

import json
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import TypeVar

import pytest

from dagster_clients import Home, environment, wait_for
from support import Client, LiveServer
from watchword.dagster.documents import Documents
from watchword.domain.dagsterruns import RunStatus
from watchword.domain.deployments import Deployment, GrantScope
from watchword.domain.kinds import Kind
from watchword.domain.tokens import Token
from watchword.domain.workitems import WorkItem
from watchword.edge.logging import configure
from watchword.services import codelocations, dagsterruns, dagstertokens, deployments
from watchword.services.context import LOCAL
from watchword.store.base import EVERYTHING, Transaction

T = TypeVar("T")

CODE = """\
import dagster

@dagster.op
def hi():
    return 1

@dagster.job(executor_def=dagster.in_process_executor)
def hello():
    hi()

defs = dagster.Definitions(jobs=[hello])
"""
CONFIGURATION = """\
instance_class: {{module: dagster_cloud.instance, class: DagsterCloudAgentInstance}}
dagster_cloud_api:
  url: {url}
  agent_token: {{env: DAGSTER_CLOUD_AGENT_TOKEN}}
  deployment: {deployment}
  agent_label: {label}
user_code_launcher:
  module: dagster_cloud.workspace.user_code_launcher
  class: ProcessUserCodeLauncher
telemetry: {{enabled: false}}
"""


class Installation:
    """A server, and what is done to it while agents run."""

    def __init__(self, folder: Path) -> None:
        self.live = LiveServer(folder)
        self.folder = folder
        self.context = self.live.authority.context
        self.organization = self.live.first.organization
        owner = self.live.first.admin
        issued = self.write(
            lambda tx: dagstertokens.create_user_token_in(
                self.context, tx, LOCAL, self.organization, owner, "tests"
            )
        )
        self.person = Home(folder / "person", f"{self.live.url}/dagster/acme", issued.value.reveal())
        self.prod = self.deployment("prod")
        self.staging: Deployment = self.write(
            lambda tx: deployments.create_in(self.context, tx, LOCAL, self.organization, "staging", None)
        )

    def write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        return self.live.run(self.context.store.write(work))

    def deployment(self, name: str) -> Deployment:
        found = self.write(lambda tx: tx.deployments.by_name(self.organization.id, name))
        assert found is not None
        return found

    def dg(self, *words: str) -> str:
        """The output of `dg`, signed in as the administrator."""
        done = self.person.run("dg", *words)
        assert done.status == 0, done
        return done.out

    def mint(self) -> str:
        """An agent token, made by the client that people use."""
        self.dg(
            *("plus", "config", "set", "--url", f"{self.live.url}/dagster", "--organization", "acme"),
            *("--api-token", self.person.variables["DAGSTER_CLOUD_API_TOKEN"]),
        )
        return self.dg("plus", "create", "ci-api-token", "--description", "CI").strip()

    def newest(self) -> Token:
        """The record of the agent token that was made last."""
        found = self.write(
            lambda tx: tx.deployments.tokens(self.organization.id, Kind.DAGSTER_AGENT, None, EVERYTHING)
        )
        return found[0]

    def organization_grant(self, token: Token, *, given: bool) -> None:
        scope, grant, ungrant = GrantScope.ORGANIZATION, deployments.grant_in, deployments.ungrant_in
        if given:
            self.write(lambda tx: grant(self.context, tx, LOCAL, token, scope, None, None))
        else:
            self.write(lambda tx: ungrant(self.context, tx, LOCAL, token, scope, None))

    def grant(self, token: Token, deployment: Deployment) -> None:
        self.write(
            lambda tx: deployments.grant_in(
                self.context, tx, LOCAL, token, GrantScope.DEPLOYMENT, deployment, None
            )
        )

    def limited(self) -> str:
        """An agent token for staging alone."""
        issued = self.write(
            lambda tx: dagstertokens.create_agent_token_in(
                self.context, tx, LOCAL, self.organization, "staging", None
            )
        )
        self.organization_grant(issued.token, given=False)
        self.grant(issued.token, self.staging)
        return issued.value.reveal()

    def add_location(self) -> None:
        (self.folder / "defs.py").write_text(CODE)
        document = {"location_name": "local", "code_source": {"python_file": str(self.folder / "defs.py")}}
        self.write(lambda tx: codelocations.put_in(self.context, tx, LOCAL, self.prod, document, None))

    def launch(self) -> str:
        async def work(tx: Transaction) -> str:
            run = await dagsterruns.launch_in(self.context, tx, self.prod, "local", "__repository__", "hello")
            return run.id

        return self.write(work)

    def run_status(self, run_id: str) -> RunStatus:
        return self.write(lambda tx: dagsterruns.find_in(tx, self.prod, run_id)).status

    def loaded(self) -> bool:
        found = self.write(lambda tx: codelocations.find_in(tx, self.prod, "local"))
        assert not found.error, found.error
        return not found.outdated

    def ping(self) -> WorkItem:
        return self.live.run(self.live.authority.work_desk.ping(self.prod, "local"))

    def answered(self, item: WorkItem) -> bool:
        return self.live.run(self.live.authority.work_desk.find(self.organization.id, item.id)).succeeded

    def ask(self, token: str, query: str) -> int:
        headers = {"Dagster-Cloud-Api-Token": token, "Dagster-Cloud-Deployment": "prod"}
        body = {"query": query, "variables": {}}
        return Client(self.live.url).call("POST", "/dagster/graphql", body, headers=headers).status


class Agent:
    """A real agent for `prod`, with what it wrote."""

    def __init__(self, place: Installation, token: str, label: str) -> None:
        home = Home(place.folder / label, f"{place.live.url}/dagster")
        self._log = home.folder / "log.txt"
        configured = home.folder / "agent"
        configured.mkdir()
        text = CONFIGURATION.format(url=f"{place.live.url}/dagster", deployment="prod", label=label)
        (configured / "dagster.yaml").write_text(text)
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(home.bin / "dagster-cloud"), "agent", "run", str(configured)],
                cwd=home.folder,
                env={**home.variables, "DAGSTER_CLOUD_AGENT_TOKEN": token},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def until(self, text: str, seconds: float = 40) -> None:
        """Wait until it said something."""
        wait_for(lambda: text in self.said or self.process.poll() is not None, seconds)
        assert text in self.said, self.said[-3000:]

    def end(self) -> int:
        """Ask it to end; its code servers go with it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(20)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


@pytest.fixture
def log() -> Iterator[StringIO]:
    """What the server writes into its log."""
    stream = StringIO()
    configure("warning", "json", ("bk",), stream)
    yield stream
    configure("warning", "text", ("bk",))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path)
    yield made
    made.live.close()


def test_the_life_of_an_agent(place: Installation, log: StringIO) -> None:
    value = place.mint()
    assert value.startswith("agent:acme:")
    token = place.newest()
    place.add_location()
    agent, stranger = Agent(place, value, "one"), Agent(place, place.limited(), "two")
    try:
        # It may not serve what it is configured for: it says so itself, and ends.
        assert stranger.process.wait(60) == 1
        assert "Agent is configured to serve an invalid deployment prod" in stranger.said

        # It starts, is heard of, answers a probe and runs a job of a code location.
        agent.until("Started polling for requests from")
        wait_for(place.loaded)
        ping, run = place.ping(), place.launch()
        wait_for(lambda: place.run_status(run).ended, 40)
        assert place.run_status(run) is RunStatus.SUCCESS
        wait_for(lambda: place.answered(ping))
        wait_for(lambda: place.live.authority.dagster_fleet.holders(place.organization.id, token.id))
        listed = json.loads(place.dg("api", "agent", "list", "--json"))["items"]
        assert [(one["agent_label"], one["status"]) for one in listed] == [("one", "RUNNING")]

        # It loses prod and says so; given back, it goes on by itself.
        place.organization_grant(token, given=False)
        place.grant(token, place.staging)
        agent.until("may not serve the deployment prod", 15)
        waiting = place.ping()
        place.organization_grant(token, given=True)
        wait_for(lambda: place.answered(waiting), 15)

        # Revoked, nothing of it gets in, its code servers and runs neither; it never ends by itself.
        place.live.revoke(token)
        assert place.ask(value, "{ scopedSecrets { secretName } }") == 401
        assert place.ask(value, "{ runs { getRunIds } }") == 401
        agent.until("401 Client Error", 15)
        assert agent.process.poll() is None
    finally:
        codes = agent.end(), stranger.end()
    assert codes == (130, 1)
    told = log.getvalue()
    assert told.count('"code": "token_revoked"') == 1, told
    assert value not in told
    assert value.rpartition(":")[2] not in told


# Texts of documents that the packages hold, by what they are for.
DOCUMENTS = """
import json
from dagster_cloud.agent import dagster_cloud_agent as agent, queries
from dagster_cloud.secrets import loader
from dagster_cloud.storage.defs_state import queries as states
from dagster_cloud.storage.event_logs import queries as events
from dagster_cloud.storage.runs import queries as runs
from dagster_cloud.workspace.user_code_launcher import user_code_launcher as launcher
hot = [value for name, value in vars(queries).items() if name.isupper()] + [agent.DEPLOYMENT_INFO_QUERY]
others = [
    launcher.DEPLOYMENT_INFO_QUERY, launcher.INIT_UPLOAD_LOCATIONS_QUERY, loader.SECRETS_QUERY,
    states.GET_LATEST_DEFS_STATE_INFO_QUERY, states.SET_LATEST_VERSION_MUTATION,
    events.STORE_EVENT_MUTATION, events.STORE_EVENT_BATCH_MUTATION, events.GET_POOL_CONFIG_QUERY,
    runs.ADD_RUN_TAGS_MUTATION, runs.GET_RUN_RECORDS_QUERY, runs.GET_RUNS_QUERY, runs.GET_RUN_IDS_QUERY,
    runs.GET_RUNS_COUNT_QUERY, runs.GET_RUN_BY_ID_QUERY, runs.HAS_RUN_QUERY,
]
print(json.dumps([hot, others]))
"""


def test_documents_of_the_packages_fit_our_schema_and_those_that_agents_repeat_are_hot() -> None:
    command = [str(environment() / "bin" / "python"), "-c", DOCUMENTS]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    hot, others = json.loads(done.stdout)
    engine = Documents().engine
    assert len(hot) == 6
    assert all(engine.prepare(text, None).hot for text in hot)
    assert not any(engine.prepare(text, None).hot for text in others)
