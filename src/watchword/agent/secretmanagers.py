"""Values kept in a secret manager: AWS Systems Manager Parameter Store, HashiCorp Vault, OpenBao.

Their libraries are extras of the package and are imported only when a reference asks for them.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from watchword.agent.errors import ConfigError

_CONNECT, _READ = 5.0, 10.0
_DEFAULT_ADDRESS = "https://127.0.0.1:8200"


def read_ssm(reference: str) -> str:
    """Read a parameter, decrypted: `/path[?region=…&endpoint=…]`.

    Credentials, and the region unless it is given, come from where AWS's tools take them.

    Raises:
        ConfigError: the extra is missing, or the parameter cannot be read.
    """
    name, options = _parts(reference, "ssm", {"region", "endpoint"})
    boto3 = _library("boto3", "aws")
    failures = import_module("botocore.exceptions")
    config = import_module("botocore.config").Config(
        connect_timeout=_CONNECT, read_timeout=_READ, retries={"max_attempts": 2}
    )
    try:
        client = boto3.client(
            "ssm", region_name=options.get("region"), endpoint_url=options.get("endpoint"), config=config
        )
        answer = client.get_parameter(Name=name, WithDecryption=True)
    except failures.ClientError as error:
        code = error.response.get("Error", {}).get("Code", "refused")
        raise ConfigError(f"cannot read ssm:{name}: {code}") from None
    except (failures.BotoCoreError, ValueError) as error:
        raise ConfigError(f"cannot read ssm:{name}: {error}") from None
    return str(answer["Parameter"]["Value"])


def read_vault(reference: str, environ: Mapping[str, str]) -> str:
    """Read a field of a secret: `path#field[?address=…&namespace=…&token-file=…]`.

    The path is written as for the `kv get` of Vault and OpenBao, with or without the `data/` of
    version 2. Address, namespace, certificate and token come from `VAULT_ADDR`, `VAULT_NAMESPACE`,
    `VAULT_CACERT`, `VAULT_TOKEN` or the same with `BAO_`, the token also from `~/.vault-token`.

    Raises:
        ConfigError: the extra is missing, or the secret cannot be read.
    """
    rest, options = _parts(reference, "vault", {"address", "namespace", "token-file"})
    path, _, field = rest.partition("#")
    path = path.strip("/")
    if not path or not field:
        raise ConfigError(f"vault:{rest} names no field: write vault:PATH#FIELD")
    hvac = _library("hvac", "vault")
    network = import_module("requests").RequestException
    client = hvac.Client(
        url=options.get("address") or _given(environ, "ADDR") or _DEFAULT_ADDRESS,
        token=_vault_token(options, environ),
        namespace=options.get("namespace") or _given(environ, "NAMESPACE"),
        verify=_given(environ, "CACERT") or True,
        timeout=_READ,
    )
    try:
        data = _secret(client, path, hvac.exceptions.VaultError)
    except hvac.exceptions.VaultError as error:
        raise ConfigError(f"cannot read vault:{path}: {_reason(error)}") from None
    except (network, ValueError) as error:
        raise ConfigError(f"cannot read vault:{path}: {type(error).__name__}: {error}") from None
    if not isinstance(data.get(field), str):
        raise ConfigError(f"vault:{path} has no text in the field {field!r}")
    return str(data[field])


def _secret(client: Any, path: str, refused: type[Exception]) -> dict[str, Any]:  # noqa: ANN401 - no types
    """The fields of a secret in either version of the key-value engine; empty if there is none."""
    try:
        mount = client.adapter.get(f"/v1/sys/internal/ui/mounts/{path}")["data"]
    except refused:
        mount = {}  # what the token may not ask has to be guessed from the answer
    if (mount.get("options") or {}).get("version") == "2":
        base = str(mount.get("path", "")).strip("/")
        inner = path.removeprefix(base).strip("/")
        path = f"{base}/data/{inner.removeprefix('data/')}"
    data = ((client.read(path) or {}).get("data")) or {}
    nested = data.get("data")
    return nested if isinstance(nested, dict) and "metadata" in data else data


def _vault_token(options: Mapping[str, str], environ: Mapping[str, str]) -> str:
    named = options.get("token-file")
    token = "" if named else _given(environ, "TOKEN")
    if token:
        return token
    path = Path(named).expanduser() if named else Path.home() / ".vault-token"
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(
            f"no token for the secret manager: set VAULT_TOKEN or BAO_TOKEN, or put it into {path}"
        ) from None


def _given(environ: Mapping[str, str], name: str) -> str:
    return environ.get(f"VAULT_{name}") or environ.get(f"BAO_{name}") or ""


def _parts(reference: str, scheme: str, known: set[str]) -> tuple[str, dict[str, str]]:
    name, _, query = reference.partition("?")
    options = {key: values[-1] for key, values in parse_qs(query, keep_blank_values=True).items()}
    if not name or set(options) - known:
        raise ConfigError(f"{scheme}:{name} is to be followed by {', '.join(sorted(known))} at most")
    return name, options


def _library(name: str, extra: str) -> Any:  # noqa: ANN401 - a module
    try:
        return import_module(name)
    except ImportError:
        raise ConfigError(
            f"the library {name} is not installed: install watchword[{extra}] to read this token"
        ) from None


def _reason(error: Exception) -> str:
    """The kind of refusal; the text may repeat what was asked, address and all, over several lines."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
