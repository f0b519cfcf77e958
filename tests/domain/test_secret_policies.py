"""Access policies of secrets: what may be written, and which jobs a policy lets pass."""

import pytest

from watchword.domain.errors import Invalid
from watchword.domain.repositories import repository_name, same_repository
from watchword.domain.secretpolicy import CLAIMS, Facts, Origin, check_rules, judge, origin_of, read_rules

TEAM = "123e4567-e89b-12d3-a456-426614174000"
QUEUE = "01928e5a-1234-5678-9abc-def012345678"
FACTS = Facts(
    pipeline_id="f47ac10b-58cc-4372-a567-0e02b2c3d479",
    pipeline_slug="app",
    branch="main",
    source="webhook",
    creator="Ada@example.com",
    teams=(TEAM,),
    queue_id=QUEUE,
    queue_key="deploy",
    agent_tags=("os=linux", "queue=deploy"),
)


def permits(policy: object, facts: Facts = FACTS) -> bool:
    return judge(read_rules(policy), facts).permitted


@pytest.mark.parametrize(
    "rule",
    [
        {"pipeline_slug": "app", "build_branch": "main"},
        {"pipeline_slug": ["web", "app"], "build_branch": ["release", "main"]},
        {"pipeline_id": "F47AC10B-58CC-4372-A567-0E02B2C3D479"},
        {"build_branch": "ma*"},
        {"build_creator": "ada@EXAMPLE.com", "build_source": "webhook", "build_creator_team": TEAM},
        {"cluster_queue_key": "deploy", "cluster_queue_id": QUEUE},
        {"agent_tag": "os=*"},
        {"build_pull_request": ["none", "same_repository"]},
    ],
)
def test_a_rule_matches_when_each_claim_has_a_condition_that_fits(rule: dict[str, object]) -> None:
    check_rules(read_rules([rule]))
    assert permits([rule])
    assert permits([{"pipeline_slug": "other"}, rule])
    assert not permits([{**rule, "pipeline_slug": "other"}])


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_fact_that_is_not_known_meets_no_claim(claim: str) -> None:
    wanted = {"build_source": "ui", "build_pull_request": "fork", "build_branch": "*", "build_tag": "*"}
    wanted |= {"agent_tag": "*"} | dict.fromkeys(
        ("pipeline_id", "build_creator_team", "cluster_queue_id"), TEAM
    )
    rule = {claim: wanted.get(claim, "x")}
    check_rules(read_rules([rule]))
    assert not permits([rule], Facts())


def test_a_forks_branch_is_no_branch_of_the_pipeline() -> None:
    fork = Facts(pipeline_slug="app", branch="main", tag="v1", origin=Origin.FORK)
    assert not permits([{"build_branch": "main"}], fork)
    assert not permits([{"build_branch": "*"}], fork)
    assert not permits([{"build_tag": "v1"}], fork)
    (rule,) = judge(read_rules([{"build_branch": "main"}]), fork).rules
    assert "another repository" in rule.claims[0].reason
    assert permits([{"pipeline_slug": "app"}], fork)  # whoever writes this means forks too
    assert not permits([{"pipeline_slug": "app", "build_pull_request": "none"}], fork)


def test_a_tag_called_main_is_not_the_branch_main() -> None:
    tag = Facts(branch="main", tag="main")
    assert not permits([{"build_branch": "main"}], tag)
    assert permits([{"build_tag": "main"}], tag)


def test_a_pull_request_is_a_forks_unless_it_says_otherwise() -> None:
    own = "git@github.com:acme/app.git"
    assert origin_of(own, {}) is Origin.NONE
    assert origin_of(own, {"id": "7"}) is Origin.FORK
    assert origin_of(own, {"id": "7", "repository": "git://github.com/mallory/app.git"}) is Origin.FORK
    assert origin_of(own, {"repository": "https://github.com/mallory/app"}) is Origin.FORK
    assert (
        origin_of(own, {"id": "7", "repository": "git://github.com/acme/app.git"}) is Origin.SAME_REPOSITORY
    )
    assert origin_of("none", {"id": "7", "repository": "none"}) is Origin.FORK


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("text", "list of rules"),
        ([], "at least one rule"),
        ([{}], "object of claims"),
        ([{"pipeline_slug": "a"}, "text"], "rule 2"),
        ([{"build_branches": "main"}], "did you mean `build_branch`?"),
        ([{"build_branch": []}], "needs a condition"),
        ([{"build_branch": 2}], "in quotes"),
        ([{"build_branch": None}], "in quotes"),
        ([{"build_branch": [["main"]]}], "in quotes"),
        ([{"build_branch": ""}], "1 to 512"),
        ([{"build_branch": "a\nb"}], "one line"),
        ([{"pipeline_id": "app"}], "takes an id"),
        ([{"build_source": "push"}], "trigger_job"),
        ([{"build_creator": "*@example.com"}], "takes no `*`"),
        ([{"pipeline_slug": "a*"}], "takes no `*`"),
        ([{"build_pull_request": "yes"}], "same_repository"),
        ([{7: "x"}], "is not a claim"),
    ],
)
def test_what_can_never_match_is_refused_when_written_and_matches_nothing_when_kept(
    policy: object, words: str
) -> None:
    with pytest.raises(Invalid, match="Policy: rule") as refused:
        check_rules(read_rules(policy))
    assert words in refused.value.message
    if not isinstance(policy, list) or len(policy) < 2:
        assert not permits(policy, FACTS)


def test_a_flawed_rule_of_old_hides_no_sound_one() -> None:
    verdict = judge(
        read_rules([{"unheard_of": "x", "pipeline_slug": "app"}, {"pipeline_slug": "app"}]), FACTS
    )
    assert (verdict.permitted, verdict.rule) == (True, 2)
    assert "unheard_of" in verdict.rules[0].flaw


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/app.git",
        "https://user:pw@GitHub.com:443/acme/app",
        "git@github.com:acme/app.git",
        "ssh://git@github.com/acme/app.git/",
        "git://github.com/acme/app",
    ],
)
def test_addresses_of_one_repository_are_the_same(url: str) -> None:
    assert repository_name(url) == "github.com/acme/app"


@pytest.mark.parametrize(
    "url",
    [
        "none",
        "",
        "https://github.com/",
        "https://github.com/acme/../other/app",
        "https://github.com/acme//app",
        "https://github.com/acme/app?x=1",
        "https://github.com/acme/app#x",
        "https://github.com\\@evil.example/acme/app",
        "https://github.com/acme%2Fapp",
        "https://github.com/acme/app\n",
    ],
)
def test_what_a_server_may_read_otherwise_names_no_repository(url: str) -> None:
    assert repository_name(url) == ""
    assert not same_repository(url, url)


def test_another_host_port_or_case_of_the_path_is_another_repository() -> None:
    own = "https://git.example.com/acme/app"
    for url in (
        "https://git.example.com:8443/acme/app",
        "https://git.example.com@evil.example/acme/app",
        "https://git.example.com/Acme/app",
        "https://git.example.com.evil.example/acme/app",
    ):
        assert repository_name(url)
        assert not same_repository(own, url)
