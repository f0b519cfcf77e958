"""How an agent is given its token, environment by environment; no command takes a value as an argument."""

from dataclasses import dataclass

_FILE = "agent-token"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: what it is, and what to type or to write into a file."""

    label: str
    text: str
    note: str = ""

    @property
    def rows(self) -> int:
        """Lines of the text."""
        return self.text.count("\n") + 1


@dataclass(frozen=True, slots=True)
class Environment:
    """Where agents run.

    Attributes:
        key: a word for the page's ids.
    """

    key: str
    name: str
    steps: tuple[Step, ...]


def environments(url: str) -> tuple[Environment, ...]:
    """All of them, for an installation at an address."""
    endpoint = f"{url}/v3"
    return (
        _watchword(endpoint),
        _buildkite(endpoint),
        _systemd(),
        _kubernetes(endpoint),
        _docker(endpoint),
        _terraform(),
    )


_PASTE = "Run it, paste the value, press Enter and then Ctrl+D. Or give the downloaded file that name."
_KEEP = Step("Put the value into a file that you alone can read", f"(umask 077 && cat > {_FILE})", _PASTE)


def _watchword(endpoint: str) -> Environment:
    return Environment(
        "shell",
        "Shell",
        (
            _KEEP,
            Step(
                "Start an agent that reads the file, and reads it again after a rotation",
                f"watchword agent start --token-file {_FILE} --endpoint {endpoint}",
            ),
            Step(
                "Or start an unmodified buildkite-agent: the value reaches it in its environment",
                f'BUILDKITE_AGENT_TOKEN="$(cat {_FILE})" buildkite-agent start --endpoint {endpoint}',
            ),
        ),
    )


def _buildkite(endpoint: str) -> Environment:
    return Environment(
        "buildkite",
        "buildkite-agent.cfg",
        (
            Step("Open the agent's configuration file", "sudoedit /etc/buildkite-agent/buildkite-agent.cfg"),
            Step(
                "Set these two lines in it",
                f'token="PASTE-THE-VALUE-HERE"\nendpoint="{endpoint}"',
            ),
            Step(
                "Let its user alone read it, and start the agent anew",
                "sudo chmod 600 /etc/buildkite-agent/buildkite-agent.cfg\n"
                "sudo chown buildkite-agent: /etc/buildkite-agent/buildkite-agent.cfg\n"
                "sudo systemctl restart buildkite-agent",
            ),
        ),
    )


def _systemd() -> Environment:
    path = "/etc/watchword/agent-token"
    return Environment(
        "systemd",
        "systemd",
        (
            Step(
                "Put the value into a file that root alone can read",
                f"sudo sh -c 'umask 077 && mkdir -p /etc/watchword && cat > {path}'",
                _PASTE,
            ),
            Step(
                "The unit watchword-agent.service hands it on as a credential, which no other process sees",
                f"[Service]\nLoadCredential=agent-token:{path}\n"
                "ExecStart=/usr/local/bin/watchword agent start --config /etc/watchword/agent.cfg"
                " --token-file %d/agent-token",
            ),
            Step("Start the agent anew", "sudo systemctl restart watchword-agent"),
        ),
    )


def _kubernetes(endpoint: str) -> Environment:
    return Environment(
        "kubernetes",
        "Kubernetes",
        (
            _KEEP,
            Step(
                "Make a secret of the file, without the line's end",
                f"tr -d '\\n' < {_FILE} | kubectl create secret generic agent-token"
                " --from-file=BUILDKITE_AGENT_TOKEN=/dev/stdin",
            ),
            Step(
                "Give it to the agent's container",
                "env:\n"
                "  - name: BUILDKITE_AGENT_TOKEN\n"
                "    valueFrom:\n"
                "      secretKeyRef:\n"
                "        name: agent-token\n"
                "        key: BUILDKITE_AGENT_TOKEN\n"
                "  - name: BUILDKITE_AGENT_ENDPOINT\n"
                f"    value: {endpoint}",
            ),
        ),
    )


def _docker(endpoint: str) -> Environment:
    return Environment(
        "docker",
        "Docker",
        (
            _KEEP,
            Step(
                "Hand the file to the container as a secret, in compose.yaml",
                "services:\n"
                "  agent:\n"
                "    image: watchword\n"
                f"    command: agent start --token-file /run/secrets/{_FILE} --endpoint {endpoint}\n"
                f"    secrets: [{_FILE}]\n"
                "secrets:\n"
                f"  {_FILE}:\n"
                f"    file: ./{_FILE}",
                "The file keeps its owner: the image's user, 10001, must be able to read it.",
            ),
            Step("Start it", "docker compose up --detach agent"),
        ),
    )


def _terraform() -> Environment:
    return Environment(
        "terraform",
        "Terraform",
        (
            _KEEP,
            Step(
                "Declare a variable that is kept out of the output",
                'variable "agent_token" {\n  type      = string\n  sensitive = true\n}',
                "Whatever you give it to may still write it into the state: let the machine read it from a"
                " secret manager where you can.",
            ),
            Step(
                "Hand the file's content over in the environment",
                f'TF_VAR_agent_token="$(cat {_FILE})" terraform apply',
            ),
        ),
    )
