"""Role x action x resource: who may perform which operation, as a golden file; and what it must hold."""

from pathlib import Path

import pytest

from watchword.domain.accounts import Role
from watchword.domain.ids import ClusterId, TeamId
from watchword.domain.operations import OPERATIONS, Right
from watchword.domain.policy import Standing, Verdict, allows, permitted, verdict
from watchword.domain.scopes import ALL_SCOPES, GRAPHQL

GOLDEN = Path(__file__).parent / "policy-matrix.txt"
OWN, OTHER = ClusterId("own-cluster"), ClusterId("other-cluster")
TEAM, OTHER_TEAM = TeamId("own-team"), TeamId("other-team")

STANDINGS = {
    "admin": Standing(Role.ADMIN),
    "maintainer": Standing(Role.MEMBER, clusters=frozenset({OWN})),
    "team-maintainer": Standing(Role.MEMBER, teams=frozenset({TEAM})),
    "member": Standing(Role.MEMBER),
}
# What an operation concerns: something that the person maintains, or something that others do.
RESOURCES = {"own": (OWN, TEAM), "other": (OTHER, OTHER_TEAM)}


def matrix() -> str:
    columns = [f"{role}/{resource}" for role in STANDINGS for resource in RESOURCES]
    lines = [" ".join(["operation", "scope", *columns])]
    for name, operation in sorted(OPERATIONS.items()):
        verdicts = [
            "yes" if allows(standing, operation.right, cluster=cluster, team=team) else "-"
            for standing in STANDINGS.values()
            for cluster, team in RESOURCES.values()
        ]
        lines.append(" ".join([name, operation.scope or "any", *verdicts]))
    return "\n".join(lines) + "\n"


def test_the_matrix_of_roles_actions_and_resources(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--write-golden"):
        GOLDEN.write_text(matrix())
    assert GOLDEN.read_text() == matrix(), "who may do what changed; if that is meant: make golden"


def test_every_operation_has_a_scope_that_exists() -> None:
    assert not [one.name for one in OPERATIONS.values() if one.scope and one.scope not in ALL_SCOPES]
    assert all(name == operation.name for name, operation in OPERATIONS.items())


def test_an_operation_without_scope_asks_for_no_more_than_membership() -> None:
    bare = [one for one in OPERATIONS.values() if not one.scope]
    assert bare
    assert all(one.right in (Right.HOLDER, Right.MEMBER) for one in bare)


def test_a_maintainer_of_one_cluster_has_no_right_to_another() -> None:
    maintainer = STANDINGS["maintainer"]
    assert allows(maintainer, Right.CLUSTER_MAINTAINER, cluster=OWN)
    assert not allows(maintainer, Right.CLUSTER_MAINTAINER, cluster=OTHER)
    assert not allows(maintainer, Right.CLUSTER_MAINTAINER)
    assert verdict(maintainer, Right.CLUSTER_MAINTAINER) is Verdict.SOME
    assert verdict(STANDINGS["member"], Right.CLUSTER_MAINTAINER) is Verdict.REFUSED


def test_what_a_token_may_do_is_its_scopes_cut_by_its_owners_rights() -> None:
    names = {operation.name for operation, _ in permitted({"write_clusters"}, STANDINGS["member"])}
    assert "cluster.delete" not in names
    mine = dict(permitted({"write_clusters"}, STANDINGS["maintainer"]))
    assert mine[OPERATIONS["agent_token.create"]] is Verdict.SOME
    assert OPERATIONS["cluster.delete"] not in mine
    assert OPERATIONS["agent.stop"] not in mine
    everything = {operation.name for operation, _ in permitted(ALL_SCOPES, STANDINGS["admin"])}
    assert everything == set(OPERATIONS)
    through_graphql = {operation.name for operation, _ in permitted({GRAPHQL}, STANDINGS["admin"])}
    assert "agent_token.create" in through_graphql
    assert "log.read" not in through_graphql
