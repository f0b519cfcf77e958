"""What a step says about its plugins: sources, versions, configuration (contract section 4.5)."""

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from watchword.agent.job.shell import JobFailed

_HOST_PARTS = 3
_NAMED_HOSTS = ("github.com", "bitbucket.org")


class _Number(str):
    """A number of the configuration, as it was written."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Plugin:
    """One plugin of a step.

    Attributes:
        location: host and path, without scheme, user and version.
        version: what to check out; empty for the default branch.
        scheme: of its URL; empty for https.
        user: user, and maybe password, of its URL.
        configuration: what the step says to it.
    """

    location: str
    version: str
    scheme: str
    user: str
    configuration: dict[str, Any]

    @property
    def vendored(self) -> bool:
        """Whether it is part of the repository."""
        return self.location.startswith(".")

    @property
    def label(self) -> str:
        """Location and version, as the step gave them."""
        return f"{self.location}#{self.version}" if self.version else self.location

    @property
    def name(self) -> str:
        """The last part of its location, without what all plugins have in theirs."""
        last = self.location.rstrip("/").rsplit("/", 1)[-1].lstrip(".").lower()
        last = re.sub(r"[^a-z0-9]", "-", re.sub(r"\s+", " ", last))
        return last.replace("-buildkite-plugin-git", "").replace("-buildkite-plugin", "")

    @property
    def folder(self) -> str:
        """A name for its clone, safe for a path."""
        return re.sub(r"[^A-Za-z0-9]+", "-", self.label).strip("-")

    @property
    def repository(self) -> str:
        """The URL to clone."""
        host = self._host()
        user = f"{self.user}@" if self.user else ""
        if host.startswith("/") and not self.scheme:
            return host
        return f"{self.scheme or 'https'}://{user}{host}"

    @property
    def below(self) -> str:
        """The plugin's folder inside its repository; empty for the root."""
        return self.location.removeprefix(self._host()).strip("/").removesuffix(".git")

    def variables(self) -> dict[str, str]:
        """The variables through which its hooks see their configuration."""
        key = _key(self.name)
        found = {
            "BUILDKITE_PLUGIN_NAME": key,
            "BUILDKITE_PLUGIN_CONFIGURATION": _dump(self.configuration),
        }
        _flatten(found, f"BUILDKITE_PLUGIN_{key}", self.configuration)
        return found

    def _host(self) -> str:
        """The part of the location that is the repository."""
        parts = self.location.split("/")
        if parts[0] in _NAMED_HOSTS:
            return "/".join(parts[:_HOST_PARTS])
        if parts[0] == "gitlab.com":
            return self.location
        for index, part in enumerate(parts):
            if part.endswith(".git"):
                return "/".join(parts[: index + 1])
        return self.location


def read_plugins(text: str) -> list[Plugin]:
    """Read `BUILDKITE_PLUGINS`.

    Raises:
        JobFailed: it is not a list of sources, with or without configurations.
    """
    try:
        decoded = json.loads(text, parse_int=_Number, parse_float=_Number)
    except json.JSONDecodeError as error:
        raise JobFailed(f"the step's plugins are not JSON: {error}") from None
    if not isinstance(decoded, list):
        raise JobFailed("the step's plugins are not a list")
    plugins = []
    for item in decoded:
        if isinstance(item, str):
            plugins.append(_plugin(item, {}))
        elif isinstance(item, dict):
            plugins += [_plugin(source, configuration) for source, configuration in item.items()]
        else:
            raise JobFailed("a plugin is neither a source nor a source with its configuration")
    return plugins


def _plugin(source: str, configuration: object) -> Plugin:
    if configuration is not None and not isinstance(configuration, dict):
        raise JobFailed(f"the configuration of the plugin {source} is not an object")
    try:
        parts = urlsplit(source)
    except ValueError as error:
        raise JobFailed(f"the plugin {source} has no location: {error}") from None
    user, _, host = parts.netloc.rpartition("@")
    plugin = Plugin(f"{host}{parts.path}", parts.fragment, parts.scheme, user, configuration or {})
    pieces = plugin.location.split("/")
    if len(pieces) < (_HOST_PARTS if pieces[0] in (*_NAMED_HOSTS, "gitlab.com") else 2):
        raise JobFailed(f"the location of the plugin {source} is not complete")
    if "#" in plugin.version or plugin.version.startswith("-"):
        raise JobFailed(f"the version of the plugin {source} is not one")
    return plugin


def _flatten(found: dict[str, str], name: str, value: object) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _flatten(found, f"{name}_{_key(key)}", inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _flatten(found, f"{name}_{index}", inner)
    elif isinstance(value, bool):
        found[name] = str(value).lower()
    elif value is not None:
        found[name] = str(value)


def _key(name: str) -> str:
    return re.sub(r"[-\s]", "_", name.upper())


def _dump(value: object) -> str:
    """Compact JSON, with numbers as they were written."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_dump(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dump, value)) + "]"
    return str(value) if isinstance(value, _Number) else json.dumps(value, ensure_ascii=False)
