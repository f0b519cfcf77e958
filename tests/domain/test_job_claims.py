"""Claims of job identity: what stands in them, and that no free text can pass for another job's subject."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchword.domain.accounts import Cluster, Organization, Queue
from watchword.domain.errors import Forbidden, Invalid
from watchword.domain.fleet import Agent, AgentState
from watchword.domain.ids import (
    AgentId,
    BuildId,
    ClusterId,
    JobId,
    OrganizationId,
    PipelineId,
    QueueId,
    TokenId,
)
from watchword.domain.jobidentity import (
    AWS_TAGS,
    OPTIONAL,
    STANDARD,
    SUBJECTS,
    Facts,
    Wish,
    check_wish,
    claims_of,
    subject_of,
)
from watchword.domain.jobpolicies import JobPolicy, check_job_policy, require_identity
from watchword.domain.pipelines import Build, BuildState, Job, JobState, Pipeline

ACME = OrganizationId("o-1")
NOW = 1_800_000_000_000_000
AT = NOW // 1_000_000
LONGEST = 3600
FACTS = Facts(
    Organization(ACME, "acme", "Acme", ClusterId("c-1"), 0, 0, 0),
    Pipeline(ACME, PipelineId("p-1"), ClusterId("c-1"), "app", "App", "r", "main", "", 0, None),
    Build(
        ACME, BuildId("b-1"), PipelineId("p-1"), 7, BuildState.RUNNING, "main", "c0ffee", "m", {}, "api",
        0, None, 0, 0,
    ),
    Job(
        organization_id=ACME,
        id=JobId("j-1"),
        build_id=BuildId("b-1"),
        cluster_id=ClusterId("c-1"),
        queue_id=QueueId("q-1"),
        label="",
        step_key="deploy",
        command="true",
        env={},
        rules=(),
        state=JobState.RUNNING,
        priority=0,
        timeout_minutes=0,
        agent_id=AgentId("a-1"),
        token_expires_at=NOW + 1000 * 1_000_000,
    ),
    Agent(
        ACME, AgentId("a-1"), ClusterId("c-1"), QueueId("q-1"), TokenId("t"), TokenId("s"), "n", "n", "h",
        "linux", "amd64", "3", "", 0, "", (), ("queue=fast", "os=linux", "os=other"), 0, "", True,
        False, False, AgentState.CONNECTED, JobId("j-1"), 0, 0, 0, 0,
    ),
    Cluster(ACME, ClusterId("c-1"), "Main", "", "", "", QueueId("q-1"), 0, None),
    Queue(ACME, QueueId("q-1"), ClusterId("c-1"), "fast", "", False, 0, None),
)  # fmt: skip


def claims(wish: Wish = Wish(), facts: Facts = FACTS) -> Any:  # noqa: B008 - records cannot change
    return claims_of(facts, check_wish(wish, LONGEST), issuer="https://ci.example", now=NOW, token_id="i")


def test_a_token_has_the_documented_claims() -> None:
    assert claims() == {
        "iss": "https://ci.example",
        "sub": "organization:acme:pipeline:app:ref:refs/heads/main:commit:c0ffee:step:deploy",
        "aud": "https://ci.example/acme",
        "exp": AT + 300,
        "nbf": AT,
        "iat": AT,
        "jti": "i",
        "organization_slug": "acme",
        "pipeline_slug": "app",
        "build_number": 7,
        "build_branch": "main",
        "build_commit": "c0ffee",
        "step_key": "deploy",
        "job_id": "j-1",
        "agent_id": "a-1",
        "runner_environment": "self-hosted",
        "build_source": "api",
    }


def test_a_tag_stands_in_the_subject_in_the_place_of_the_branch() -> None:
    said = claims(facts=replace(FACTS, build=replace(FACTS.build, tag="v1")))
    assert said["build_tag"] == "v1"
    assert said["sub"] == "organization:acme:pipeline:app:ref:refs/tags/v1:commit:c0ffee:step:deploy"


def test_optional_claims_are_added_where_they_are_asked_for() -> None:
    said = claims(Wish(claims=(*OPTIONAL, "agent_tag:os", "agent_tag:none")))
    assert [said[name] for name in OPTIONAL] == ["o-1", "p-1", "b-1", "c-1", "Main", "q-1", "fast"]
    assert said["agent_tag:os"] == "linux"
    assert "agent_tag:none" not in said
    assert not set(OPTIONAL) & set(claims())


def test_a_job_in_no_cluster_has_no_claims_of_one() -> None:
    loose = replace(FACTS, cluster=None, queue=None)
    assert not {"cluster_id", "queue_id"} & set(claims(Wish(claims=("cluster_id", "queue_id")), loose))
    with pytest.raises(Invalid, match="no cluster_id"):
        claims(Wish(subject_claim="cluster_id"), loose)


def test_aws_takes_session_tags_as_lists_of_texts() -> None:
    said = claims(Wish(aws_session_tags=("pipeline_slug", "build_number", "cluster_id", "build_tag")))
    assert said[AWS_TAGS] == {
        "principal_tags": {"pipeline_slug": ["app"], "build_number": ["7"], "cluster_id": ["c-1"]}
    }


@pytest.mark.parametrize("name", SUBJECTS)
def test_an_id_may_be_the_whole_subject(name: str) -> None:
    said = claims(Wish(subject_claim=name, claims=(name,)))
    assert said["sub"] == said[name]


@pytest.mark.parametrize(
    "wish",
    [
        Wish(audience="two words"),
        Wish(audience="a\nb"),
        Wish(audience="x" * 1025),
        Wish(lifetime=-1),
        Wish(lifetime=LONGEST + 1),
        Wish(claims=("nothing",)),
        Wish(claims=("sub",)),
        Wish(claims=("agent_tag:",)),
        Wish(claims=("agent_tag:a b",)),
        Wish(claims=("job_id",) * 51),
        Wish(aws_session_tags=("iss",)),
        # What people choose freely could be another job's whole subject.
        Wish(subject_claim="build_branch"),
        Wish(subject_claim="step_key"),
        Wish(subject_claim="cluster_name"),
        Wish(subject_claim="agent_tag:os"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused(wish: Wish) -> None:
    with pytest.raises(Invalid) as caught:
        check_wish(wish, LONGEST)
    assert caught.value.status == 422


def test_a_lifetime_is_as_asked_and_never_goes_beyond_the_job_token() -> None:
    assert claims(Wish(lifetime=60))["exp"] == AT + 60
    assert claims(Wish(lifetime=LONGEST))["exp"] == AT + 1000


FORGERIES = [
    "x:commit:0:step:deploy",
    "refs/heads/main:step:deploy",
    "main:commit:c0ffee:step:deploy",
    "main%3Astep%3Adeploy",
    "main\u2028step",
    "*",
]


@pytest.mark.parametrize("text", FORGERIES)
def test_a_branch_cannot_pass_for_other_fields(text: str) -> None:
    for build in (replace(FACTS.build, branch=text), replace(FACTS.build, tag=text)):
        said = claims(facts=replace(FACTS, build=build))
        assert said["sub"].count(":") == 9
        assert not said["sub"].startswith(("organization:acme:pipeline:app:ref:refs/heads/main:",))
        assert text in (said["build_branch"], said.get("build_tag"))


TEXTS = st.text(st.sampled_from("ab:%/*3A main refs") | st.characters(codec="utf-8"), max_size=30)


@given(*[TEXTS] * 8)
def test_different_jobs_have_different_subjects(
    branch: str, tag: str, commit: str, key: str, branch2: str, tag2: str, commit2: str, key2: str
) -> None:
    def job(branch: str, tag: str, commit: str, key: str) -> tuple[tuple[str, str, str, str], str]:
        build = replace(FACTS.build, branch=branch, tag=tag, commit=commit)
        facts = replace(FACTS, build=build, job=replace(FACTS.job, step_key=key))
        return ("t" if tag else "h", tag or branch, commit, key), subject_of(facts)

    one, subject = job(branch, tag, commit, key)
    other, subject2 = job(branch2, tag2, commit2, key2)
    assert (one == other) == (subject == subject2)
    assert subject.count(":") == 9


def test_every_claim_that_is_announced_exists() -> None:
    tagged = replace(FACTS, build=replace(FACTS.build, tag="v1"))
    said = claims(Wish(claims=OPTIONAL), tagged)
    assert {*STANDARD, *OPTIONAL} <= set(said)


def policy(*audiences: str, **fields: Any) -> JobPolicy:
    return check_job_policy(JobPolicy(ACME, audiences=audiences, **fields))


@pytest.mark.parametrize(
    ("policies", "audience", "code"),
    [
        ((), "anybody", ""),
        ((policy(),), "anybody", ""),
        ((policy("sts.amazonaws.com"),), "sts.amazonaws.com", ""),
        ((policy("sts.amazonaws.com"),), "stsXamazonaws.com", "audience_not_allowed"),
        ((policy("https://*.example.com"),), "https://bao.example.com", ""),
        ((policy("https://*.example.com"),), "https://evil.com/x.example.com", "audience_not_allowed"),
        ((policy("https://*.example.com"),), "https://bao.example.com/", "audience_not_allowed"),
        ((policy("[ab]?"),), "a1", "audience_not_allowed"),
        ((policy("*"), policy("a")), "b", "audience_not_allowed"),
        ((policy(), policy("a")), "a", ""),
        ((policy(identity=False),), "a", "job_identity_off"),
        ((policy("a"), policy("a", identity=False)), "a", "job_identity_off"),
    ],
)
def test_every_policy_narrows(policies: tuple[JobPolicy, ...], audience: str, code: str) -> None:
    found = ""
    try:
        require_identity(policies, audience)
    except Forbidden as error:
        found = error.code
    assert found == code


@pytest.mark.parametrize("audiences", [("",), ("a b",), ("x" * 1025,), ("a",) * 51])
def test_a_policy_with_audiences_that_no_token_has_is_refused(audiences: tuple[str, ...]) -> None:
    with pytest.raises(Invalid):
        policy(*audiences)


@pytest.mark.parametrize(
    ("pull_request", "branch"),
    [
        ({}, "main"),
        ({"id": "7", "repository": "git@example.com:acme/app.git"}, "main"),
        ({"id": "7", "repository": "https://example.com/stranger/app"}, "fork:main"),
        ({"id": "7"}, "fork:main"),
    ],
)
def test_a_forks_branch_never_passes_for_one_of_the_repository(
    pull_request: dict[str, str], branch: str
) -> None:
    facts = replace(
        FACTS,
        pipeline=replace(FACTS.pipeline, repository="https://example.com/acme/app.git"),
        build=replace(FACTS.build, pull_request=pull_request),
    )
    said = claims(facts=facts)
    assert said["build_branch"] == branch
    assert f":ref:refs/heads/{branch.replace(':', '%3A')}:commit:" in said["sub"]
    tagged = claims(facts=replace(facts, build=replace(facts.build, tag="v1")))
    assert tagged["build_tag"] == branch.replace("main", "v1")
    assert f":ref:refs/tags/{branch.replace(':', '%3A').replace('main', 'v1')}:commit:" in tagged["sub"]
