"""A package registry on a whole server: wheels made by hand, its tokens, requests as installers send them."""

import base64
import hashlib
import io
import zipfile
from typing import Any

import httpx

from support import LiveServer
from watchword.crypto.values import Secret

API = "/v2/packages/organizations/acme/registries"


def wheel(name: str = "tiny", version: str = "1.0", text: str = "ANSWER = 42\n") -> tuple[str, bytes]:
    """The name and bytes of a wheel with one module, as the binary distribution format has it."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": text,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: Tiny\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).decode().rstrip("=")
        rows.append(f"{path},sha256={digest},{len(content)}")
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]) + "\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path, (2026, 1, 1, 0, 0, 0)), content)
    return f"{name}-{version}-py3-none-any.whl", packed.getvalue()


def fields_of(name: str, version: str, content: bytes, **changes: str) -> dict[str, str]:
    """The fields of an upload's form."""
    return {
        ":action": "file_upload",
        "protocol_version": "1",
        "filetype": "bdist_wheel",
        "pyversion": "py3",
        "metadata_version": "2.1",
        "name": name,
        "version": version,
        "sha256_digest": hashlib.sha256(content).hexdigest(),
        "blake2_256_digest": hashlib.blake2b(content, digest_size=32).hexdigest(),
        **changes,
    }


class Shop:
    """A server with a registry `shop`, and its administrator's client."""

    def __init__(self, server: LiveServer, **registry: Any) -> None:
        self.server = server
        value = server.first.api_token.value.reveal()
        self.admin = httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {value}"})
        self.http = httpx.Client(base_url=server.url)
        asked = {"name": "Shop", "ecosystem": "python", **registry}
        self.registry = self.admin.post(API, json=asked).raise_for_status().json()
        self.slug: str = self.registry["slug"]
        self.path = f"/packages/acme/{self.slug}/pypi"

    def close(self) -> None:
        """Let the clients go."""
        self.admin.close()
        self.http.close()

    def token(self, description: str = "for a test", **more: Any) -> dict[str, Any]:
        """A new registry token, with its value."""
        body = {"description": description, **more}
        answer = self.admin.post(f"{API}/{self.slug}/tokens", json=body).raise_for_status()
        return dict(answer.json())

    def temporary(self, access: str) -> str:
        """The value of a new temporary package token."""
        body = {"access": access}
        answer = self.admin.post(f"{API}/{self.slug}/temporary-tokens", json=body).raise_for_status()
        return str(answer.json()["token"])

    def get(
        self, path: str = "/simple/", value: str | Secret | None = None, **headers: str
    ) -> httpx.Response:
        """Read something of the index with a value."""
        return self.http.get(self.path + path, auth=_auth(value), headers=headers)

    def upload(
        self,
        value: str | Secret | None,
        name: str = "tiny",
        version: str = "1.0",
        *,
        file: tuple[str, bytes] | None = None,
        **changes: str,
    ) -> httpx.Response:
        """Upload a wheel with a value."""
        filename, content = file or wheel(name, version)
        fields = fields_of(name, version, content, **changes)
        return self.http.post(
            self.path + "/", data=fields, files={"content": (filename, content)}, auth=_auth(value)
        )


def _auth(value: str | Secret | None) -> httpx.Auth:
    if value is None:
        return httpx.Auth()
    return httpx.BasicAuth("buildkite", value.reveal() if isinstance(value, Secret) else value)
