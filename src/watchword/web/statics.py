"""The files of the console: one style sheet, scripts, icons; their addresses change with their content."""

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from litestar import Request, Response, get

from watchword.domain.errors import NotFound
from watchword.web.needs import page

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FOR_EVER = "public, max-age=31536000, immutable"


@cache
def content(name: str) -> bytes:
    """The bytes of a file.

    Raises:
        NotFound: there is none of this name.
    """
    found = files("watchword.web") / "static" / name
    if "/" in name or not any(name.endswith(each) for each in _TYPES) or not found.is_file():
        raise NotFound("There is no such file.", code="no_such_path")
    return found.read_bytes()


@cache
def address(name: str) -> str:
    """Where pages find a file: a new content has a new address, so that copies may be kept for ever."""
    return f"/static/{hashlib.sha256(content(name)).hexdigest()[:16]}/{name}"


@get("/static/{version:str}/{name:str}", opt=page(None))
async def serve(request: Request[Any, Any, Any]) -> Response[bytes]:
    """A file; under the address of another content it is not found."""
    version, name = (str(request.path_params[part]) for part in ("version", "name"))
    if address(name).split("/")[2] != version:
        raise NotFound("There is no such file.", code="no_such_path")
    kind = _TYPES[name[name.rindex(".") :]]
    return Response(content(name), media_type=kind, headers={"cache-control": _FOR_EVER})


HANDLERS = (serve,)
