"""Tokens for repositories: from a secret or a GitHub App, for the job's own pipeline's repository alone."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwt
from joserfc.jwk import RSAKey

from receiver import Received, Receiver, Reply
from services.scene import Scene
from support import World
from watchword.crypto.values import Secret
from watchword.domain.addresses import Block
from watchword.domain.destinations import Reach
from watchword.domain.errors import Conflict, Invalid, NotFound, WatchwordError
from watchword.domain.events import Action
from watchword.domain.pipelines import Job
from watchword.domain.repositorycredentials import RepositoryCredential, Source, best, fits
from watchword.services.builds import BuildRequest, CommandStep, create_pipeline
from watchword.services.context import LOCAL
from watchword.services.repositorycredentials import Wish, create_credential, delete_credential
from watchword.services.secrets import create_secret
from watchword.store.base import EVERYTHING, Transaction

REPOSITORY = "https://git.example.com/acme/app.git"
VALUE = "glpat-the-token-of-the-tests"
_KEY = rsa.generate_private_key(65537, 2048)
PEM = _KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
).decode()


@pytest.fixture
def scene(world: World) -> Scene:
    made = Scene(world)
    made.configure(reach=Reach(allowed=(Block.parse("127.0.0.0/8"),)))
    return made


class GitHub(Receiver):
    """The two calls of GitHub that are made: where an App is installed, and a token there."""

    def __init__(self) -> None:
        super().__init__()
        self.reply = self.answer
        self.status = 201

    @property
    def api(self) -> str:
        return self.url.removesuffix("/hook")

    def answer(self, received: Received) -> Reply:
        presented = (received.header("authorization") or "").removeprefix("Bearer ")
        claims = jwt.decode(presented, RSAKey.import_key(PEM), algorithms=["RS256"]).claims
        assert claims["iss"] == "12345"
        assert claims["exp"] - claims["iat"] == 600
        if received.path == "/repos/acme/app/installation":
            return Reply(200, body=b'{"id": 77, "account": {}}')
        if received.path == "/app/installations/77/access_tokens":
            return Reply(self.status, body=b'{"token": "ghs_minted", "expires_at": "2027-01-15T09:00:00Z"}')
        return Reply(404, body=b'{"message": "secret words of the server"}')


@pytest.fixture
def github() -> Iterator[GitHub]:
    made = GitHub()
    yield made
    made.close()


def source(scene: Scene, **wish: Any) -> RepositoryCredential:
    context, cluster = scene.authority.context, scene.first.cluster

    async def work(tx: Transaction) -> RepositoryCredential:
        given = {"pattern": "git.example.com/acme/*", "secret_key": "GIT", **wish}
        return await create_credential(context, tx, LOCAL, cluster, Wish(**given), None)

    return scene.run(context.store.write(work))


def app(scene: Scene, github: GitHub, **wish: Any) -> RepositoryCredential:
    given = {"app_id": "12345", "api_url": github.api, "private_key": Secret(PEM), **wish}
    return source(scene, source=Source.GITHUB_APP, **given)


def keep(scene: Scene, value: str = VALUE, policy: str = "") -> None:
    context, cluster = scene.authority.context, scene.first.cluster
    scene.run(
        context.store.write(
            lambda tx: create_secret(context, tx, LOCAL, cluster, "GIT", Secret(value), policy=policy)
        )
    )


def accepted(scene: Scene, repository: str = REPOSITORY, **agent: Any) -> tuple[Job, dict[str, str]]:
    """A running job of a pipeline of its own, and its variables."""
    authority, context = scene.authority, scene.authority.context
    scene.world.clock.forward(1)
    name = f"p{scene.world.clock.now()}"

    async def work(tx: Transaction) -> list[Job]:
        pipeline = await create_pipeline(
            context,
            tx,
            LOCAL,
            scene.organization_id,
            name,
            cluster_id=scene.first.cluster.id,
            repository=repository,
        )
        steps = (CommandStep(command="x"),)
        return (await authority.builder.create_in(tx, LOCAL, pipeline, steps, BuildRequest(), None))[1]

    (job,) = scene.run(context.store.write(work))
    authority.builder.announce([job])
    taken = scene.accept(scene.agent(name=name, **agent), job)
    scene.start(scene.job(job))
    return scene.job(job), dict(taken.env)


def issue(scene: Scene, job: Job, url: str = REPOSITORY) -> str:
    return scene.run(scene.authority.repository_tokens.issue(LOCAL, job, url)).reveal()


def refused(scene: Scene, job: Job, url: str = REPOSITORY) -> WatchwordError:
    with pytest.raises(WatchwordError) as error:
        issue(scene, job, url)
    return error.value


def test_a_secret_is_the_token_of_the_repositories_that_the_pattern_fits(scene: Scene) -> None:
    keep(scene)
    credential = source(scene)
    job, env = accepted(scene, version="3.137.0")
    assert env["BUILDKITE_USE_REPOSITORY_PROVIDER_GIT_CREDENTIALS"] == "true"
    assert issue(scene, job) == issue(scene, job, "https://git.example.com/acme/app") == VALUE
    event = scene.events(Action.REPOSITORY_TOKEN_ISSUED)[0]
    assert (event.subject_id, VALUE in event.data) == (credential.id, False)
    assert '"repository":"git.example.com/acme/app"' in event.data
    assert len(scene.events(Action.SECRET_READ)) == 2


def test_jobs_without_a_source_are_told_nothing_and_get_nothing(scene: Scene) -> None:
    keep(scene)
    source(scene)
    for repository in ("https://git.example.com/other/app", "git@git.example.com:acme/app.git", ""):
        _, env = accepted(scene, repository)
        assert not [name for name in env if name.endswith("_GIT_CREDENTIALS")]
    job, _ = accepted(scene, "https://git.example.com/other/app")
    assert refused(scene, job, "https://git.example.com/other/app").code == "repository_token_refused"
    assert refused(scene, job).code == "repository_token_refused"  # another pipeline's repository


def test_older_agents_are_told_by_the_word_that_they_know(scene: Scene) -> None:
    keep(scene)
    source(scene)
    _, env = accepted(scene, version="3.120.0")
    assert env["BUILDKITE_USE_GITHUB_APP_GIT_CREDENTIALS"] == "true"


def test_a_job_asks_for_its_own_repository_and_those_that_the_source_names(scene: Scene) -> None:
    keep(scene)
    source(scene, also=["git.example.com/libs/*"])
    job, _ = accepted(scene)
    assert issue(scene, job, "https://git.example.com/libs/one") == VALUE
    for url in (
        "https://git.example.com/acme/other",
        "https://git.example.com.evil.example/acme/app",
        "https://evil.example/libs/one",
        "https://git.example.com/libs",
    ):
        error = refused(scene, job, url)
        assert isinstance(error, NotFound), url
        assert error.message == "No credentials for this repository, or this job may not have them."
    for url in (
        "http://git.example.com/acme/app",
        "git@git.example.com:acme/app",
        "",
        "https://git.example.com/a/../b",
    ):
        assert isinstance(refused(scene, job, url), Invalid), url
    reasons = [event.data for event in scene.events(Action.REPOSITORY_TOKEN_REFUSED)]
    assert len(reasons) == 4
    assert all('"reason":"other_repository"' in data for data in reasons)


@pytest.mark.parametrize("where", ["secret", "source"])
def test_the_policy_of_the_secret_and_of_the_source_both_count(scene: Scene, where: str) -> None:
    policy = "- pipeline_slug: none-of-them\n"
    keep(scene, policy=policy if where == "secret" else "")
    source(scene, policy=policy if where == "source" else "")
    job, _ = accepted(scene)
    assert refused(scene, job).code == "repository_token_refused"
    assert not scene.events(Action.SECRET_READ)


def test_an_app_mints_a_token_for_one_repository_to_read_it(scene: Scene, github: GitHub) -> None:
    app(scene, github)
    job, _ = accepted(scene)
    assert issue(scene, job) == "ghs_minted"
    where, asked = github.received
    assert (where.method, asked.method) == ("GET", "POST")
    assert json.loads(asked.body) == {"repositories": ["app"], "permissions": {"contents": "read"}}
    assert "BEGIN RSA" not in str(scene.events(Action.REPOSITORY_CREDENTIAL_CREATED)[0].data)


def test_an_app_with_a_known_installation_asks_once(scene: Scene, github: GitHub) -> None:
    app(scene, github, installation_id="77")
    job, _ = accepted(scene)
    assert issue(scene, job) == "ghs_minted"
    assert [each.path for each in github.received] == ["/app/installations/77/access_tokens"]


def test_what_the_server_says_to_a_refusal_reaches_no_job(scene: Scene, github: GitHub) -> None:
    app(scene, github, pattern="git.example.com/*")
    job, _ = accepted(scene, "https://git.example.com/other/app")
    error = refused(scene, job, "https://git.example.com/other/app")
    assert (error.code, "404" in error.message) == ("repository_token_failed", True)
    assert "secret words" not in error.message
    github.status = 422
    job, _ = accepted(scene)
    assert refused(scene, job).code == "repository_token_failed"
    deep, _ = accepted(scene, "https://git.example.com/a/b/c")
    assert "owner and name" in refused(scene, deep, "https://git.example.com/a/b/c").message


def test_an_api_inside_the_house_is_not_called(scene: Scene, github: GitHub) -> None:
    scene.configure(reach=Reach())
    app(scene, github)
    job, _ = accepted(scene)
    assert refused(scene, job).code == "repository_token_failed"
    assert github.received == []


def test_a_key_on_another_row_opens_for_nobody(scene: Scene, github: GitHub) -> None:
    app(scene, github)
    other = app(scene, github, pattern="git.example.com/*")

    async def swap(tx: Any) -> None:
        (row,) = [
            each
            for each in await tx.repositories.list(other.organization_id, other.cluster_id, EVERYTHING)
            if each.id != other.id
        ]
        await tx.repositories.delete(row.organization_id, row.cluster_id, row.id)
        await tx.repositories.add(replace(row, sealed=other.sealed))

    scene.run(scene.world.store.write(swap))
    job, _ = accepted(scene)
    assert refused(scene, job).code == "repository_token_refused"
    assert '"reason":"sealed"' in scene.events(Action.REPOSITORY_TOKEN_REFUSED)[0].data


def test_a_deleted_source_is_told_to_no_job(scene: Scene) -> None:
    keep(scene)
    credential = source(scene)
    context = scene.authority.context
    scene.run(context.store.write(lambda tx: delete_credential(context, tx, LOCAL, credential)))
    job, env = accepted(scene)
    assert "BUILDKITE_USE_REPOSITORY_PROVIDER_GIT_CREDENTIALS" not in env
    assert refused(scene, job).code == "repository_token_refused"


def test_a_secret_of_several_lines_is_no_token(scene: Scene) -> None:
    keep(scene, "one\ntwo")
    source(scene)
    job, _ = accepted(scene)
    assert isinstance(refused(scene, job), Conflict)


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"pattern": "*"}, "invalid_pattern"),
        ({"pattern": "*.example.com/acme"}, "invalid_pattern"),
        ({"pattern": "git.example.com"}, "invalid_pattern"),
        ({"pattern": "git.example.com/a/../b"}, "invalid_pattern"),
        ({"also": ["*/x"]}, "invalid_pattern"),
        ({"secret_key": ""}, "invalid_secret_key"),
        ({"policy": "- build_brunch: x"}, "invalid_policy"),
        ({"source": Source.GITHUB_APP, "app_id": "1"}, "invalid_private_key"),
        ({"source": Source.GITHUB_APP, "app_id": "", "private_key": Secret(PEM)}, "invalid_app"),
        ({"source": Source.GITHUB_APP, "app_id": "1", "api_url": "ftp://x"}, "invalid_app"),
        ({"source": Source.GITHUB_APP, "app_id": "1", "installation_id": "x"}, "invalid_app"),
    ],
)
def test_a_source_that_could_give_nothing_is_refused(scene: Scene, wish: dict[str, Any], code: str) -> None:
    with pytest.raises(WatchwordError) as error:
        source(scene, **wish)
    assert error.value.code == code
    assert "PRIVATE KEY" not in error.value.message


def test_the_most_particular_pattern_counts_and_a_host_has_no_star(scene: Scene) -> None:
    wide, narrow = source(scene, pattern="git.example.com/*"), source(scene)
    assert best([wide, narrow], REPOSITORY) is narrow
    assert best([wide, narrow], "https://git.example.com/else/x") is wide
    assert best([wide], "https://example.com/git.example.com/x") is None
    assert fits("git.example.com/acme/app", REPOSITORY)
    assert not fits("git.example.com/acme/ap", REPOSITORY)
