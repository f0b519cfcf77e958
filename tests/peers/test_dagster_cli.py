"""`dagster-cloud` and `dg`, unmodified, against a whole server (contract dagster-agents-api §11, §12)."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import pytest

from dagster_clients import Home, wait_for
from dagster_scene import BEAT, heartbeat
from support import Client, LiveServer
from watchword.domain.accounts import Member, Role, User
from watchword.domain.ids import UserId
from watchword.services import codelocations
from watchword.services.accounts import create_organization
from watchword.services.context import LOCAL
from watchword.services.dagstertokens import create_user_token_in
from watchword.store.base import Transaction

CLI = "dagster-cloud"
ON_PROD = ("--deployment", "prod")


class Server:
    """A server on loopback, with people's tokens for it."""

    def __init__(self, folder: Path) -> None:
        self.live = LiveServer(folder)
        self.folder = folder
        self.base = f"{self.live.url}/dagster"
        self.organization = self.live.first.organization
        self.context = self.live.authority.context
        self.admin = self.token(self.live.first.admin)

    def token(self, user: User, organization: object = None) -> str:
        """A new token of a member."""
        place = organization or self.organization
        made = self.context.store.write(
            lambda tx: create_user_token_in(self.context, tx, LOCAL, place, user, "tests")  # type: ignore[arg-type]
        )
        return self.live.run(made).value.reveal()

    def viewer(self) -> str:
        """The token of a member without any role."""
        user = User(UserId(self.context.new_id()), "vi@example.com", "Vi", "", 7)

        async def work(tx: Transaction) -> None:
            await tx.accounts.add_user(user)
            await tx.accounts.add_member(Member(self.organization.id, user.id, Role.MEMBER, 7))

        self.live.run(self.context.store.write(work))
        return self.token(user)

    def home(self, name: str, token: str) -> Home:
        """Where clients with this token live."""
        return Home(self.folder / name, f"{self.base}/acme", token)

    def beat(self, agent_token: str) -> None:
        """Let an agent of `prod` be heard of."""
        client = Client(self.live.url)
        body = {"query": BEAT, "variables": {"beats": [heartbeat("prod")], "errors": []}}
        answer = client.call(
            "POST", "/dagster/graphql", body, headers={"Dagster-Cloud-Api-Token": agent_token}
        )
        assert answer.status == 200, answer

    def loaded(self, name: str, error: str = "") -> bool:
        """Tell of a code location of `prod` as an agent does, once it is there."""

        async def work(tx: Transaction) -> bool:
            deployment = await tx.deployments.by_name(self.organization.id, "prod")
            assert deployment is not None
            known = await tx.code_locations.find(self.organization.id, deployment.id, name)
            if known is not None:
                await codelocations.loaded_in(self.context, tx, deployment, name, error=error)
            return known is not None

        return self.live.run(self.context.store.write(work))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("dagster"))
    yield made
    made.live.close()


@pytest.fixture(scope="module")
def home(server: Server) -> Home:
    return server.home("admin", server.admin)


@pytest.fixture(scope="module")
def agent_token(server: Server, home: Home) -> str:
    """An agent token that `dg` made."""
    configured = home.run(
        *("dg", "plus", "config", "set", "--url", server.base, "--organization", "acme"),
        *("--api-token", server.admin, "--deployment", "prod"),
    )
    assert configured.status == 0, configured
    made = home.run("dg", "plus", "create", "ci-api-token", "--description", "from dg")
    assert made.status == 0, made
    return made.out.strip()


def test_dg_makes_an_agent_token_and_shows_the_agent_that_runs_with_it(
    server: Server, home: Home, agent_token: str
) -> None:
    assert agent_token.startswith("agent:acme:")
    server.beat(agent_token)
    listed = home.run("dg", "api", "agent", "list", "--json")
    assert listed.status == 0, listed
    [agent] = json.loads(listed.out)["items"]
    assert (agent["id"], agent["agent_label"], agent["status"]) == ("a1", "one", "RUNNING")
    found = home.run("dg", "api", "deployment", "get", "prod", "--json")
    assert found.status == 0, found
    assert json.loads(found.out)["organization_name"] == "acme"


def test_settings_are_written_from_a_file_and_read_again(server: Server, home: Home) -> None:
    file = server.folder / "settings.yaml"
    file.write_text("run_queue:\n  max_concurrent_runs: 5\n")
    for noun, more in (("organization", ()), ("deployment", ON_PROD)):
        written = home.run(CLI, noun, "settings", "set-from-file", str(file), *more)
        assert written.status == 0, written
    read = home.run(CLI, "deployment", "settings", "get", *ON_PROD)
    assert read.status == 0, read
    assert "max_concurrent_runs: 5" in read.out
    shown = home.run("dg", "api", "organization", "settings", "get")
    assert "max_concurrent_runs: 5" in shown.out


def test_a_location_is_added_and_the_command_waits_until_an_agent_has_loaded_it(
    server: Server, home: Home, agent_token: str
) -> None:
    server.beat(agent_token)
    adding = home.start(
        *(CLI, "deployment", "add-location", "etl", *ON_PROD, "--python-file", "defs.py"),
        *("--location-load-timeout", "60", "--agent-heartbeat-timeout", "60"),
    )
    try:
        wait_for(lambda: server.loaded("etl"))
        out, err = adding.communicate(timeout=60)
    finally:
        adding.kill()
    assert adding.returncode == 0, err
    assert "Agent synced changes to etl" in out
    pulled = home.run(CLI, "deployment", "pull-locations", *ON_PROD)
    assert pulled.status == 0, pulled
    assert "location_name: etl" in pulled.out


def test_a_branch_deployment_is_made_by_an_agent_token_as_in_ci_and_deleted(
    server: Server, agent_token: str
) -> None:
    ci = server.home("ci", agent_token)
    at = ("--url", f"{server.base}/acme")  # this command does not read the address from the environment
    made = ci.run(
        *(CLI, "branch-deployment", "create-or-update", *at, "--repo-name", "acme/etl"),
        *("--branch-name", "next", "--commit-hash", "c0ffee", "--timestamp", "1700000000"),
    )
    assert made.status == 0, made
    name = made.out.strip()
    assert name.isalnum()
    gone = ci.run(CLI, "branch-deployment", "delete", "--deployment", name)
    assert gone.status == 0, gone
    with_prod = ci.run(CLI, "branch-deployment", "delete", "--deployment", "prod")
    assert with_prod.status == 1
    assert "not a branch deployment" in with_prod.err


def test_viewers_and_strangers_are_refused_in_words_that_the_command_prints(server: Server) -> None:
    viewer = server.home("viewer", server.viewer())
    refused = viewer.run(CLI, "deployment", "add-location", "new", *ON_PROD, "--python-file", "defs.py")
    assert refused.status == 1, refused
    assert "needs the role Editor or more on the deployment prod" in refused.out + refused.err
    made = create_organization(server.context, LOCAL, "other", "Other", "o@example.com", "Olga")
    things = server.live.run(made)
    stranger = server.home("stranger", server.token(things.admin, things.organization))
    refused = stranger.run(CLI, "deployment", "settings", "get", *ON_PROD)
    assert refused.status == 1, refused
    # For this token `acme` in the address is a deployment, and the header names another one.
    assert "400 Client Error" in refused.err
    assert "name one of them" in refused.err


def test_dg_signs_in_by_the_page_of_the_console(server: Server) -> None:
    home = server.home("login", "")
    (home.folder / "dg.toml").write_text(f'[cli.plus]\nurl = "{server.base}"\n')
    opened = home.folder / "opened"
    browser = home.folder / "browser"
    browser.write_text(f'#!/bin/sh\nprintf "%s" "$1" > {opened}.new && mv {opened}.new {opened}\n')
    browser.chmod(0o755)
    login = home.start("dg", "plus", "login", more={"BROWSER": f"{browser} %s"}, text="\n")
    try:
        wait_for(opened.exists)
        asked = urlsplit(opened.read_text())
        assert f"{asked.scheme}://{asked.netloc}{asked.path}" == server.base
        page = urlsplit(parse_qs(asked.query)["next"][0])
        nonce, port = page.path.removeprefix("/cli-auth/"), parse_qs(page.query)["port"][0]
        body = {"nonce": nonce, "token": server.admin, "organization": "acme"}
        request = Request(f"http://localhost:{int(port)}/callback", json.dumps(body).encode(), method="POST")
        with urlopen(request, timeout=10) as answer:
            assert json.load(answer) == {"ok": True}
        out, err = login.communicate(timeout=60)
    finally:
        login.kill()
    assert login.returncode == 0, err
    assert "Authorized for organization acme" in out
    assert "Available deployments: prod" in out
