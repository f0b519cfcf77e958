"""Repositories: whether two addresses name the same one, however they are written."""

import re

_SCHEME = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*)://(?:[^@/]*@)?([^/@:\[\]]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?/(.*)"
)
# `git@host:path`, as git takes it for SSH.
_SCP = re.compile(r"(?:[^@/:\s]+@)?([^@/:\s]+):(?!//)(.+)")
_DEFAULT_PORTS = {"https": "443", "http": "80", "ssh": "22", "git": "9418"}
_ODD = re.compile(r"[\x00-\x20\x7f\\?#%*]")


def repository_name(url: str) -> str:
    """What an address names: host in small letters, port where it is not the usual one, path without `.git`.

    Scheme and user do not matter, so that SSH and HTTPS addresses of a repository are the same. Empty where
    the address is none, or has something in it that a server may read as another path.
    """
    if _ODD.search(url):
        return ""
    found = _SCHEME.fullmatch(url)
    if found is not None:
        scheme, host, port, path = found[1].lower(), found[2], found[3] or "", found[4]
        host = host if port in ("", _DEFAULT_PORTS.get(scheme)) else f"{host}:{port}"
    else:
        short = _SCP.fullmatch(url)
        if short is None:
            return ""
        host, path = short[1], short[2]
    path = path.strip("/").removesuffix(".git")
    if not path or any(part in ("", ".", "..") for part in path.split("/")):
        return ""
    return f"{host.lower()}/{path}"


def same_repository(one: str, other: str) -> bool:
    """Whether two addresses name one repository; False where either names none."""
    name = repository_name(one)
    return bool(name) and name == repository_name(other)
