"""Pages of the simple index (PEP 503), and the same as JSON (PEP 691, PEP 700).

Every name on them was checked when it came; on the way out it is escaped all the same.
"""

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

import msgspec

from watchword.domain.formats import instant
from watchword.domain.packages import PackageFile
from watchword.edge.http import Response
from watchword.packages.wire import HTML, SIMPLE_JSON

_VERSION = "1.1"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="pypi:repository-version" content="1.1"><title>{title}</title></head>
<body>
<h1>{title}</h1>
{links}
</body>
</html>
"""
# Nothing on these pages loads or runs anything.
_POLICY = (b"content-security-policy", b"default-src 'none'; sandbox")


def _answer(kind: str, body: bytes) -> Response:
    named = f"{kind}; charset=utf-8" if kind == HTML else kind
    return Response(200, body, [(b"content-type", named.encode()), (b"vary", b"accept"), _POLICY])


def _page(kind: str, title: str, links: Sequence[str]) -> Response:
    text = _PAGE.format(title=escape(title), links="<br>\n".join(links))
    return _answer(kind, text.encode())


def show_projects(kind: str, registry: str, projects: Sequence[str]) -> Response:
    """Names of all packages of a registry."""
    if kind == SIMPLE_JSON:
        listed = {"meta": {"api-version": _VERSION}, "projects": [{"name": name} for name in projects]}
        return _answer(kind, msgspec.json.encode(listed))
    links = [f'<a href="{quote(name, safe="")}/">{escape(name)}</a>' for name in projects]
    return _page(kind, f"Packages in {registry}", links)


def address(file: PackageFile) -> str:
    """Where a file is, seen from its package's page: without a host, which a proxy may have changed."""
    return f"../../files/{file.id}/{quote(file.filename, safe='')}"


def show_files(kind: str, project: str, files: Sequence[PackageFile], versions: Sequence[str]) -> Response:
    """Files of all versions of a package, with their digests."""
    if kind == SIMPLE_JSON:
        listed = {
            "meta": {"api-version": _VERSION},
            "name": project,
            "versions": list(versions),
            "files": [_described(file) for file in files],
        }
        return _answer(kind, msgspec.json.encode(listed))
    return _page(kind, f"Links for {project}", [_link(file) for file in files])


def _described(file: PackageFile) -> dict[str, object]:
    shown: dict[str, object] = {
        "filename": file.filename,
        "url": address(file),
        "hashes": {"sha256": file.sha256},
        "size": file.size,
        "upload-time": instant(file.created_at),
        "core-metadata": False,
    }
    if file.requires_python:
        shown["requires-python"] = file.requires_python
    return shown


def _link(file: PackageFile) -> str:
    needs = f' data-requires-python="{escape(file.requires_python)}"' if file.requires_python else ""
    return f'<a href="{address(file)}#sha256={file.sha256}"{needs}>{escape(file.filename)}</a>'
