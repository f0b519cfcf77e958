"""The floor: a raw ASGI no-op behind the server and settings of the application."""

import argparse
import sys
from typing import Any

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

# A test holds that these are the application's.
SETTINGS: dict[str, Any] = {
    "interface": Interfaces.ASGINL,
    "http": HTTPModes.http1,
    "websockets": False,
    "backlog": 4096,
    "backpressure": 100_000,
    "http1_settings": HTTP1Settings(header_read_timeout=120_000, max_buffer_size=32_768, pipeline_flush=True),
    "log_enabled": False,
}
_HEADERS = [(b"content-type", b"application/json")]
_BODY = b'{"active":true,"token_type":"agent","jti":"0190d2f0-7a3b-7c4d-8e5f-0123456789ab","iat":1800000000}'


async def silent(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
    """Answer without looking at the request."""
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _BODY})


async def reading(_scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer after taking the request's body, which the server hands over by a second way round."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _BODY})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--read", action="store_true", help="take the body first")
    given = parser.parse_args()
    application = reading if given.read else silent

    async def serve() -> None:
        await Server(application, address="127.0.0.1", port=given.port, **SETTINGS).serve()

    sys.setswitchinterval(0.0005)
    uvloop.run(serve())


if __name__ == "__main__":
    main()
