"""Tokens in a real OpenBao, and in moto's stand-in for the parameter store of AWS."""

from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from agent.agent_scene import Scene
from agent.agent_server import SESSION_TOKEN
from agent.secret_stands import Bao, bao_server
from watchword.agent.errors import ConfigError
from watchword.agent.secretmanagers import read_ssm, read_vault
from watchword.agent.tokensource import find_source


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    with bao_server(tmp_path_factory.mktemp("bao")) as server:
        yield server


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(moto: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The endpoint; credentials are in the environment, where AWS's tools look for them."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return moto


def put_parameter(endpoint: str, value: str, region: str = "eu-west-1") -> None:
    client = boto3.client("ssm", region_name=region, endpoint_url=endpoint)
    client.put_parameter(Name="/ci/agent-token", Value=value, Type="SecureString", Overwrite=True)


def test_a_secret_of_either_version_of_the_engine_is_read(bao: Bao) -> None:
    bao.put("ci/agents", token="bkct_two", other="x")
    bao.call("POST", "sys/mounts/old", {"type": "kv", "options": {"version": "1"}})
    bao.call("POST", "old/ci/agents", {"token": "bkct_one"})
    for reference in ("secret/ci/agents#token", "secret/data/ci/agents#token", "/secret/ci/agents#token"):
        assert read_vault(reference, bao.environ) == "bkct_two"
    assert read_vault("old/ci/agents#token", bao.environ) == "bkct_one"


def test_the_names_of_vault_work_as_those_of_openbao_and_the_reference_beats_both(
    bao: Bao, tmp_path: Path
) -> None:
    bao.put("ci/agents", token="bkct_two")
    vault = {"VAULT_ADDR": bao.address, "VAULT_TOKEN": bao.environ["BAO_TOKEN"]}
    assert read_vault("secret/ci/agents#token", vault) == "bkct_two"
    (tmp_path / "sink").write_text(vault["VAULT_TOKEN"] + "\n")
    given = f"secret/ci/agents#token?address={bao.address}&token-file={tmp_path / 'sink'}"
    assert read_vault(given, {"VAULT_ADDR": "http://127.0.0.1:9", "VAULT_TOKEN": "wrong"}) == "bkct_two"


def test_a_token_that_may_read_the_secret_alone_is_enough(bao: Bao) -> None:
    bao.put("ci/agents", token="bkct_two")
    policy = 'path "secret/data/ci/agents" { capabilities = ["read"] }'
    bao.call("POST", "sys/policies/acl/agents", {"policy": policy})
    made = bao.call("POST", "auth/token/create", {"policies": ["agents"], "no_default_policy": True})
    environ = {"BAO_ADDR": bao.address, "BAO_TOKEN": made["auth"]["client_token"]}
    assert read_vault("secret/ci/agents#token", environ) == "bkct_two"


@pytest.mark.parametrize(
    ("reference", "changes", "message"),
    [
        ("secret/ci/absent#token", {}, "no text in the field 'token'"),
        ("secret/ci/agents#absent", {}, "no text in the field 'absent'"),
        ("secret/ci/agents#token", {"BAO_TOKEN": "s.wrong-token"}, "Forbidden"),
        ("secret/ci/agents#token", {"BAO_ADDR": "http://127.0.0.1:9"}, "ConnectionError"),
    ],
)
def test_a_secret_that_cannot_be_read(
    bao: Bao, reference: str, changes: dict[str, str], message: str
) -> None:
    bao.put("ci/agents", token="bkct_two")
    with pytest.raises(ConfigError, match=message) as caught:
        read_vault(reference, {**bao.environ, **changes})
    assert "wrong-token" not in str(caught.value)
    assert "bkct_two" not in str(caught.value)


def test_no_token_for_the_secret_manager_says_where_to_put_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ConfigError, match="VAULT_TOKEN or BAO_TOKEN"):
        read_vault("secret/ci/agents#token", {})


def test_a_parameter_is_read_decrypted(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put_parameter(aws, "bkct_ssm")
    assert read_ssm(f"/ci/agent-token?region=eu-west-1&endpoint={aws}") == "bkct_ssm"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert read_ssm(f"/ci/agent-token?endpoint={aws}") == "bkct_ssm"


def test_a_parameter_that_cannot_be_read(aws: str) -> None:
    with pytest.raises(ConfigError, match="ParameterNotFound"):
        read_ssm(f"/ci/absent?region=eu-west-1&endpoint={aws}")
    with pytest.raises(ConfigError, match="region"):
        read_ssm(f"/ci/agent-token?endpoint={aws}")
    with pytest.raises(ConfigError, match="connect"):
        read_ssm("/ci/agent-token?region=eu-west-1&endpoint=http://127.0.0.1:9")


def follows(scene: Scene, rotate: Callable[[str], None]) -> None:
    """The agent joins with the first value, and with the second one after it was rotated."""

    async def story(scene: Scene) -> None:
        await scene.server.until(lambda: bool(scene.server.calls("GET ping")))
        rotate("bkct_second")
        await scene.server.until(lambda: len(scene.server.calls("POST disconnect")) == 1)
        scene.stop.ask()

    assert scene.play(story) == 0
    assert [request.token for request in scene.server.calls("POST register")] == ["bkct_first", "bkct_second"]
    assert scene.server.calls("POST disconnect")[0].token == SESSION_TOKEN
    assert "bkct_" not in scene.printed


def test_a_running_agent_follows_the_value_in_openbao(bao: Bao, tmp_path: Path) -> None:
    bao.put("ci/rotated", token="bkct_first")
    scene = Scene(tmp_path, **{"token-refresh": "50"})
    scene.source = find_source({"token": "vault:secret/ci/rotated#token"}, bao.environ, {})
    follows(scene, lambda value: bao.put("ci/rotated", token=value))


def test_a_running_agent_follows_the_value_in_the_parameter_store(aws: str, tmp_path: Path) -> None:
    put_parameter(aws, "bkct_first")
    scene = Scene(tmp_path, **{"token-refresh": "50"})
    reference = f"ssm:/ci/agent-token?region=eu-west-1&endpoint={aws}"
    scene.source = find_source({}, {"BUILDKITE_AGENT_TOKEN": reference}, {})
    follows(scene, lambda value: put_parameter(aws, value))
