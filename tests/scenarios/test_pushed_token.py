"""A token is committed and pushed: the hook saw it, a partner reports it, it is answered, people are told."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from support import Client, FakeAgent, LiveServer, free_port
from watchword import app
from watchword.cli.partnerstand import PartnerStand
from watchword.crypto.reports import ReportKey, github_headers
from watchword.crypto.values import Secret, mint
from watchword.domain.kinds import Kind
from watchword.services.people import person_caller
from watchword.services.sessions import SignedIn, open_session
from watchword.store.base import Transaction
from watchword.web.security import SESSION_COOKIE, csrf_token

PATIENCE = 30.0
ADMIN = "admin@example.com"
AUTHOR = "Ada Author"


class Mailbox:
    """A mail server's end."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802 - the hook's name
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=default)
        self.taken.append(message)
        return "250 Fine"


class Partner:
    """GitHub, as far as a server can see: published keys, and reports that they sign."""

    def __init__(self) -> None:
        self.key = ReportKey.generate()
        self.stand = PartnerStand([(self.key, True)])

    def report(self, server: str, url: str, *values: str) -> list[str]:
        """Report values; their labels."""
        body = json.dumps(
            [{"token": value, "type": "watchword", "url": url, "source": "commit"} for value in values]
        ).encode()
        answer = httpx.post(
            f"{server}/leaks/partners/github", content=body, headers=github_headers(self.key, body)
        )
        assert answer.status_code == 200, answer.text
        return [item["label"] for item in answer.json()]


class Repository:
    """Somebody's clone with a bare remote, and the `watchword` that its hook finds."""

    def __init__(self, folder: Path, server: str) -> None:
        self.work, self.remote, commands = folder / "app", folder / "app.git", folder / "bin"
        commands.mkdir()
        command = commands / "watchword"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m watchword "$@"\n')
        command.chmod(0o755)
        self.environment = {
            "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "WATCHWORD_URL": server,
            "GIT_AUTHOR_NAME": AUTHOR,
            "GIT_AUTHOR_EMAIL": "ada@example.com",
            "GIT_COMMITTER_NAME": AUTHOR,
            "GIT_COMMITTER_EMAIL": "ada@example.com",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            **{name: value for name, value in os.environ.items() if name == "PYTHONPATH"},
        }
        self.run("git", "init", "-q", "--bare", "-b", "main", str(self.remote), at=folder)
        self.run("git", "clone", "-q", str(self.remote), str(self.work), at=folder)
        self.run("git", "checkout", "-q", "-b", "main")
        self.run("watchword", "scan", "--install-hook")

    def run(
        self, *words: str, at: Path | None = None, fails: bool = False
    ) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            words,
            cwd=at or self.work,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert (done.returncode != 0) is fails, (words, done.stdout, done.stderr)
        return done

    def put(self, path: str, text: str) -> None:
        (self.work / path).parent.mkdir(parents=True, exist_ok=True)
        (self.work / path).write_text(text)
        self.run("git", "add", path)

    def push(self, message: str) -> str:
        """Go past the hook and push; the commit."""
        self.run("git", "commit", "-q", "--no-verify", "-m", message)
        self.run("git", "push", "-q", "origin", "main")
        return self.run("git", "--git-dir", str(self.remote), "rev-parse", "main").stdout.strip()

    def findings(self) -> list[dict[str, Any]]:
        """What is in the history, and what the server says of it."""
        done = self.run("watchword", "scan", "--git", "--verify", "--format", "json", fails=True)
        assert done.returncode == 1, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
        return found


class Admin:
    """The administrator's browser."""

    def __init__(self, server: LiveServer) -> None:
        user, context = server.first.admin, server.authority.context

        async def work(tx: Transaction) -> SignedIn:
            caller = person_caller(user, "127.0.0.1", "a browser")
            return await open_session(context, tx, user, caller, "password", complete=True)

        self.cookie = server.run(context.store.write(work)).cookie
        self.http = httpx.Client(base_url=server.url, headers={"sec-fetch-site": "same-origin"})
        self.http.cookies.set(SESSION_COOKIE, self.cookie.reveal())

    def close(self) -> None:
        self.http.close()

    def page(self, url: str) -> str:
        answer = self.http.get(url)
        assert answer.status_code == 200, (url, answer.status_code)
        return unescape(answer.text)

    def post(self, url: str, **fields: str) -> None:
        answer = self.http.post(url, data={"csrf": csrf_token(Secret(self.cookie.reveal())), **fields})
        assert answer.status_code == 303, answer.text


class Story:
    """Everybody in it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(app, "_MAIL_SECONDS", 0.1)
        monkeypatch.setattr(app, "_LEAKS_SECONDS", 0.1)
        self.box, self.partner = Mailbox(), Partner()
        self.smtp = Controller(self.box, hostname="127.0.0.1", port=free_port())
        self.smtp.start()
        self.server = LiveServer(
            folder,
            smtp_url=f"smtp://127.0.0.1:{self.smtp.port}",
            leak_reporters=json.dumps([{"name": "github", "type": "github", "keys": self.partner.stand.url}]),
        )
        self.repository = Repository(folder, self.server.url)
        self.browser = Admin(self.server)

    def close(self) -> None:
        self.browser.close()
        self.server.close()
        self.smtp.stop()
        self.partner.stand.close()

    def admin(self) -> Client:
        return Client(self.server.url, self.server.first.api_token.value.reveal(), "Bearer")

    def make(self, path: str, **fields: Any) -> str:
        """A token, made by the administrator over REST; its value."""
        made = self.admin().call("POST", f"/v2/organizations/acme/{path}", fields)
        assert made.status == 201, made
        return str(made.body["token"])

    def letter(self, count: int) -> EmailMessage:
        """The so-manieth letter, once it is there."""
        deadline = time.monotonic() + PATIENCE
        while len(self.box.taken) < count:
            assert time.monotonic() < deadline, [str(each["subject"]) for each in self.box.taken]
            time.sleep(0.02)
        return self.box.taken[count - 1]

    def leak(self) -> dict[str, Any]:
        """The latest case, in full."""
        listed = self.admin().call("GET", "/v2/organizations/acme/leaks").body
        rows = listed if isinstance(listed, list) else listed["records"]
        latest = max(rows, key=lambda row: str(row["first_seen_at"]))
        found: dict[str, Any] = self.admin().call("GET", latest["url"].removeprefix(self.server.url)).body
        return found


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    made = Story(tmp_path, monkeypatch)
    yield made
    made.close()


def said(letter: EmailMessage) -> str:
    return str(letter.get_content())


def case_link(letter: EmailMessage) -> str:
    """The address of the case in a letter."""
    lines = [line.strip() for line in said(letter).splitlines()]
    return next(line.partition("Case:")[2].strip() for line in lines if line.startswith("Case:"))


def refused_by_the_hook(repository: Repository, value: str, *words: str) -> None:
    done = repository.run("git", "commit", "-m", "Deploy", fails=True)
    shown = done.stdout + done.stderr
    for word in words:
        assert word in shown
    assert value not in shown
    assert repository.run("git", "rev-parse", "--verify", "-q", "HEAD", fails=True).stdout == ""


def test_a_pushed_api_access_token_is_revoked_as_soon_as_it_is_reported(story: Story) -> None:
    repository = story.repository
    value = story.make("api-access-tokens", description="deploy robot", scopes=["read_agents", "read_user"])
    robot = Client(story.server.url, value, "Bearer")
    assert robot.call("GET", "/v2/user").status == 200

    repository.put("deploy/run.sh", f"#!/bin/sh\nexport API_TOKEN={value}\n")
    refused_by_the_hook(repository, value, "deploy/run.sh:2", "API access token")
    commit = repository.push("Deploy")

    url = f"https://github.example/acme/app/blob/{commit}/deploy/run.sh"
    assert story.partner.report(story.server.url, url, value) == ["true_positive"]
    refused = robot.call("GET", "/v2/user")
    assert (refused.status, refused.body["code"]) == (401, "token_revoked")

    letter = story.letter(1)
    assert letter["To"] == ADMIN
    assert letter["Subject"] == "API access token 'deploy robot' of Acme leaked: revoked"
    assert url in said(letter).replace("\n", "")
    assert value not in letter.as_string()

    page = story.browser.page(case_link(letter))
    assert "deploy robot" in page
    assert url in page
    assert "evoked" in page
    assert value not in page

    (found,) = repository.findings()
    assert value not in json.dumps(found)
    assert found["path"] == "deploy/run.sh"
    assert found["commit"]["id"] == commit
    assert AUTHOR in found["commit"]["author"]
    assert found["live"]["state"] == "revoked"
    strange = mint(Kind.API_ACCESS).reveal()
    labels = story.partner.report(story.server.url, url, value, strange)
    assert labels == ["true_positive", "false_positive"]
    leak = story.leak()
    assert (leak["count"], leak["outcome"], leak["telling"]) == (2, "revoked", False)


def test_of_a_pushed_agent_token_people_are_told_who_came_with_it_and_end_it(story: Story) -> None:
    repository, cluster = story.repository, story.server.first.cluster.id
    value = story.make(f"clusters/{cluster}/tokens", description="build machines")
    FakeAgent(story.server.url, value, name="builder-1", hostname="builder-1").connect()

    repository.put("agent.cfg", f'token="{value}"\nname="builder-%n"\n')
    refused_by_the_hook(repository, value, "agent.cfg:1", "agent token")
    commit = repository.push("Configure the agents")
    url = f"https://github.example/acme/app/blob/{commit}/agent.cfg"
    assert story.partner.report(story.server.url, url, value) == ["true_positive"]

    letter = story.letter(1)
    assert letter["Subject"] == "Agent token 'build machines' of Acme leaked: it still works"
    stranger = FakeAgent(story.server.url, value, name="stranger", hostname="elsewhere").connect()

    case = case_link(letter)
    page = story.browser.page(case)
    assert "stranger" in page
    assert [agent["name"] for agent in story.leak()["agents_since"]] == ["stranger"]

    story.browser.post(f"{case}/respond", response="revoke", leak_mode="cut")
    assert stranger.call("GET", "/v3/ping").status == 401
    assert FakeAgent(story.server.url, value).registered.status == 401
    assert story.letter(2)["Subject"] == "Agent token 'build machines' of Acme leaked: revoked"

    (found,) = repository.findings()
    assert (found["path"], found["commit"]["id"], found["live"]["state"]) == ("agent.cfg", commit, "revoked")
