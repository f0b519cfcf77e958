"""The vendor's GraphQL documents on agent tokens and clusters, sent by the real `curl` as its page shows.

Names of operations, inputs and fields are the documented ones; ids and texts are ours.
"""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from support import FakeClock, LiveServer

# The pages' expiries lie ahead of this moment: 2024-06-01.
WHEN_WRITTEN_US = 1_717_200_000_000_000

CLUSTER = """mutation { clusterCreate(input: {
  organizationId: "%(organization)s" name: "Fleet" description: "Where our builds run"
  emoji: ":rocket:" color: "#FFE0F1"
}) { cluster {
  id uuid name description emoji color defaultQueue { id } createdBy { id uuid name email avatar { url } }
} } }"""
CREATE = """mutation { clusterAgentTokenCreate(input: {
  organizationId: "%(organization)s" clusterId: "%(cluster)s" description: "For staging"
  expiresAt: "2026-01-01T00:00:00Z" allowedIpAddresses: "0.0.0.0/0"
}) { clusterAgentToken { id uuid description allowedIpAddresses
  cluster { id uuid organization { id uuid } } createdBy { id uuid email } } tokenValue } }"""
UPDATE = """mutation { clusterAgentTokenUpdate(input: {
  organizationId: "%(organization)s" id: "%(token)s" description: "For staging"
  allowedIpAddresses: "192.0.2.0/24 198.51.100.12"
}) { clusterAgentToken { id uuid description allowedIpAddresses
  cluster { id uuid organization { id uuid } } createdBy { id uuid email } } } }"""
REVOKE = """mutation { clusterAgentTokenRevoke(input: {
  organizationId: "%(organization)s" id: "%(token)s"
}) { deletedClusterAgentTokenId } }"""
ORGANIZATION = 'query GetOrgID { organization(slug: "acme") { id } }'
CREATE_OLD = """mutation { agentTokenCreate(input: {
  organizationID: "%(organization)s", description: "For staging"
}) { tokenValue agentTokenEdge { node { id } } } }"""
LIST_OLD = """query GetAgentTokenID { organization(slug: "acme") {
  agentTokens(first:50) { edges { node { id uuid description } } }
} }"""
REVOKE_OLD = """mutation { agentTokenRevoke(input: { id: "%(old)s", reason: "No longer needed" }) {
  agentToken { description revokedAt revokedReason }
} }"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    made = LiveServer(tmp_path_factory.mktemp("graphql"), FakeClock(WHEN_WRITTEN_US))
    yield made
    made.close()


def ask(server: LiveServer, document: str, path: str = "/v1") -> Any:
    """Send a document as the page does, variables as a text; its data."""
    body = json.dumps({"query": document, "variables": "{ }"})
    command = (
        f'curl -sS {server.url}{path} -H "Authorization: Bearer $TOKEN"'
        ' -H "Content-Type: application/json" -d @-'
    )
    done = subprocess.run(
        ["sh", "-c", command],
        input=body.encode(),
        capture_output=True,
        check=True,
        timeout=30,
        env={"TOKEN": server.first.api_token.value.reveal(), "PATH": "/usr/bin:/bin"},
    )
    answer = json.loads(done.stdout)
    assert "errors" not in answer, answer
    return answer["data"]


@pytest.mark.parametrize("path", ["/v1", "/graphql"])
def test_the_first_example_works(server: LiveServer, path: str) -> None:
    assert ask(server, "{ viewer { user { name } } }", path) == {"viewer": {"user": {"name": "Ada Admin"}}}


def test_a_cluster_and_its_agent_tokens(server: LiveServer) -> None:
    known = {"organization": ask(server, ORGANIZATION)["organization"]["id"]}
    cluster = ask(server, CLUSTER % known)["clusterCreate"]["cluster"]
    assert (cluster["name"], cluster["emoji"], cluster["defaultQueue"]) == ("Fleet", ":rocket:", None)
    assert cluster["createdBy"]["email"] == "admin@example.com"
    known["cluster"] = cluster["id"]
    made = ask(server, CREATE % known)["clusterAgentTokenCreate"]
    assert made["tokenValue"].startswith("bkct_")
    token = made["clusterAgentToken"]
    assert (token["description"], token["allowedIpAddresses"]) == ("For staging", "0.0.0.0/0")
    assert token["cluster"]["id"] == known["cluster"]
    assert token["cluster"]["organization"]["id"] == known["organization"]
    known["token"] = token["id"]
    changed = ask(server, UPDATE % known)["clusterAgentTokenUpdate"]["clusterAgentToken"]
    assert changed == {**token, "allowedIpAddresses": "192.0.2.0/24 198.51.100.12"}
    revoked = ask(server, REVOKE % known)["clusterAgentTokenRevoke"]
    assert revoked == {"deletedClusterAgentTokenId": token["id"]}


def test_unclustered_agent_tokens(server: LiveServer) -> None:
    known = {"organization": ask(server, ORGANIZATION)["organization"]["id"]}
    made = ask(server, CREATE_OLD % known)["agentTokenCreate"]
    assert made["tokenValue"].startswith("bkar_")
    known["old"] = made["agentTokenEdge"]["node"]["id"]
    listed = ask(server, LIST_OLD)["organization"]["agentTokens"]["edges"]
    (found,) = [edge["node"] for edge in listed if edge["node"]["id"] == known["old"]]
    assert found["description"] == "For staging"
    ended = ask(server, REVOKE_OLD % known)["agentTokenRevoke"]["agentToken"]
    assert (ended["description"], ended["revokedReason"]) == ("For staging", "No longer needed")
    assert ended["revokedAt"] is not None
