"""The rows about the console: how long the server takes for a page of an installation that is full.

A page is opened again and again on one idle connection, and the whole answer is read; loopback adds some
tenths of a millisecond. A page that is to be measured is one more function in `PAGES`.
"""

import http.client
import json
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from bench.clients import join, log_of, write_log
from bench.machine import python
from bench.report import Goal, Row
from bench.servers import Installation, Server, call, ours

if TYPE_CHECKING:
    from bench.rows import Bench

GOAL = Goal(must=300, moonshot=50, unit="ms", lower=True)
AGENTS = 10_000
TOKENS = 1_000
LINES = 100_000
JOBS = 1_000
_PASSWORD = "a password of the bench alone"
_WARM = 3
_SEE_OTHER = 303
_OK = 200


@dataclass(frozen=True, slots=True)
class Place:
    """A running installation that a page is measured on.

    Attributes:
        headers: what REST asks for.
        organization: the first organization's slug.
        cluster: its first cluster's address on the console.
    """

    bench: "Bench"
    server: Server
    known: Installation
    headers: dict[str, str]
    organization: str

    @property
    def cluster(self) -> str:
        """The first cluster's address."""
        return f"/organizations/{self.organization}/clusters/{self.known.cluster_id}"

    def count(self, full: int) -> int:
        """How many of a thing there are to be: all of them in a full run, a twentieth in a quick one."""
        return max(full // self.bench.size.shrink, 1)


# What is on the page, and its address.
Pages = Iterator[tuple[str, str]]


def agents(place: Place) -> Pages:
    """Pages of a cluster with many connected agents."""
    count = place.count(AGENTS)
    join(place.server.port, place.known.agent_token, 0, count, place.bench.tell)
    yield f"clusters of an installation with {count:,} agents", place.cluster.rpartition("/")[0]
    yield f"queues of a cluster with {count:,} agents", place.cluster
    yield f"agents of a cluster with {count:,} of them", f"{place.cluster}/agents"
    yield f"the same, page {count // 50}", f"{place.cluster}/agents?page={count // 50}"
    yield "the same, searched by a part of a name", f"{place.cluster}/agents?q=bench-99&state=idle"


def tokens(place: Place) -> Pages:
    """Pages about many tokens of all kinds, beside whatever agents there are."""
    count = place.count(TOKENS)
    at = f"/v2/organizations/{place.organization}"
    body = {"expires_at": "2099-01-01T00:00:00Z"}
    for number in range(count):
        call(
            place.server.port,
            "POST",
            f"{at}/clusters/{place.known.cluster_id}/tokens",
            place.headers,
            body | {"description": f"builders {number:04}"},
        )
    pages = f"/organizations/{place.organization}"
    yield f"overview with {count:,} tokens", pages
    yield f"list of {count:,} tokens", f"{pages}/tokens"
    yield f"list of {count:,} tokens by last use", f"{pages}/tokens?sort=-last_used"
    yield f"search among {count:,} tokens", f"{pages}/tokens?q=builders+07"
    yield f"hygiene of {count:,} tokens", f"{pages}/hygiene"


def builds(place: Place) -> Pages:
    """Pages of a build with many jobs, and of a job with a long log."""
    lines, jobs = place.count(LINES), place.count(JOBS)
    at = f"/v2/organizations/{place.organization}/pipelines"
    steps = {"steps": [{"command": "true", "label": "first"}, {"command": "true", "parallelism": jobs}]}
    body = {"name": "bench", "cluster_id": place.known.cluster_id, "configuration": json.dumps(steps)}
    call(place.server.port, "POST", at, place.headers, body)
    build = call(place.server.port, "POST", f"{at}/bench/builds", place.headers, {"message": "bench"})
    job = write_log(place.server.port, place.known.agent_token, log_of(lines))
    pages = f"/{place.organization}/bench"
    yield "list of builds", pages
    yield f"build with {jobs:,} jobs", f"{pages}/builds/{build['number']}"
    log = f"{pages}/builds/{build['number']}/jobs/{job}"
    yield f"end of a log of {lines:,} lines", log
    yield f"middle of a log of {lines:,} lines", f"{log}?from={lines // 2}"
    yield f"search in a log of {lines:,} lines", f"{log}?q=module+{lines - 1}+"


def agent_tokens(place: Place) -> Pages:
    """Pages of a cluster's agent tokens, one of which all agents joined with."""
    at = f"/v2/organizations/{place.organization}/clusters/{place.known.cluster_id}/tokens"
    first = call(place.server.port, "GET", f"{at}?per_page=1", place.headers)[0]["id"]
    count, held = place.count(TOKENS), place.count(AGENTS)
    yield f"a cluster's {count:,} agent tokens", f"{place.cluster}/tokens"
    yield f"those of {count:,} that were never used", f"{place.cluster}/tokens?state=never_used"
    yield f"an agent token with {held:,} agents", f"{place.cluster}/tokens/{first}"
    yield f"what revoking it breaks for {held:,} agents", f"{place.cluster}/tokens/{first}/revoke"
    yield f"its rotation with {held:,} agents", f"{place.cluster}/tokens/{first}/rotate"


# Each fills the installation and names the pages to open, one after the other on the same installation.
PAGES: tuple[Callable[[Place], Pages], ...] = (agents, tokens, agent_tokens, builds)


def console(bench: "Bench") -> list[Row]:
    """Pages of the console, opened one after the other by an administrator."""
    known = bench.install("data")
    with ours(known.data) as server:
        headers = {"Authorization": f"Bearer {known.api_token}"}
        (organization,) = call(server.port, "GET", "/v2/organizations", headers)
        place = Place(bench, server, known, headers, organization["slug"])
        cookie = _sign_in(place)
        return [_opened(place, cookie, what, path) for pages in PAGES for what, path in pages(place)]


def _sign_in(place: Place) -> str:
    """Sign the first administrator in; the cookies.

    Raises:
        RuntimeError: the console does not let them in.
    """
    person = call(place.server.port, "GET", "/v2/user", place.headers)
    words = python("-m", "watchword", "admin", "password", person["email"], "--data", str(place.known.data))
    subprocess.run(words, input=f"{_PASSWORD}\n", check=True, capture_output=True, text=True, timeout=60)
    with closing(http.client.HTTPConnection("127.0.0.1", place.server.port, timeout=30)) as connection:
        connection.request("GET", "/sign-in")
        answer = connection.getresponse()
        form = re.search(r'name="csrf" value="([^"]+)"', answer.read().decode())
        visit = (answer.getheader("set-cookie") or "").partition(";")[0]
        fields = {
            "csrf": form[1] if form is not None else "",
            "email": person["email"],
            "password": _PASSWORD,
        }
        headers = {"Cookie": visit, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/sign-in", urlencode(fields), headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != _SEE_OTHER:
            raise RuntimeError(f"nobody signed in: {answer.status} {content[:300]!r}")
        given = [value.partition(";")[0] for name, value in answer.getheaders() if name == "set-cookie"]
    return "; ".join(given)


def _opened(place: Place, cookie: str, what: str, path: str) -> Row:
    """Open one page several times.

    Raises:
        RuntimeError: it does not open.
    """
    place.bench.tell(what)
    taken: list[float] = []
    size = 0
    with closing(http.client.HTTPConnection("127.0.0.1", place.server.port, timeout=60)) as connection:
        for _ in range(_WARM + place.bench.size.opens):
            began = time.perf_counter()
            connection.request("GET", path, headers={"Cookie": cookie})
            answer = connection.getresponse()
            content = answer.read()
            taken.append(time.perf_counter() - began)
            if answer.status != _OK:
                raise RuntimeError(f"{path}: {answer.status} {content[:300]!r}")
            size = len(content)
    first, counted = taken[0] * 1e3, sorted(one * 1e3 for one in taken[_WARM:])
    median = statistics.median(counted)
    return Row(
        work=f"console: {what}",
        ours=f"{median:.1f} ms",
        figure=median,
        goal=GOAL,
        note=f"median of {len(counted)} openings, slowest {counted[-1]:.0f} ms, first ever {first:.0f} ms; "
        f"{size / 1e3:,.0f} kB",
    )
