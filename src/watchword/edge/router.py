"""Routes of the raw surfaces: exact paths by one look-up, patterns by segment."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from watchword.domain.errors import WatchwordError
from watchword.domain.kinds import Kind
from watchword.edge.http import Response

Handler = Callable[..., Awaitable[Response]]
Refusing = Callable[[WatchwordError], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation.

    Attributes:
        method: HTTP method.
        path: exact path, or a pattern whose `{name}` segments become keyword arguments; a last segment
            `{name...}` takes the rest of the path, slashes included.
        handler: takes the request and those arguments.
        kinds: token kinds it takes; empty where it is public. The authorization test reads this.
        refuse: the shape of its errors, where its contract has another than ours.
        right: what it asks of a job's token (`domain.jobrights`); empty for nothing beyond the token.
        name: method and path, for metrics and logs.
    """

    method: str
    path: str
    handler: Handler
    kinds: tuple[Kind, ...]
    refuse: Refusing | None = None
    right: str = ""
    name: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.method} {self.path}")


class Router:
    """Finds the route of a method and a raw path.

    Segments are split before they are decoded, so that `%2F` inside one stays inside it.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = tuple(routes)
        self._exact: dict[tuple[str, str], Route] = {}
        self._patterns: dict[int, list[tuple[list[str], Route]]] = {}
        self._rests: list[tuple[list[str], Route]] = []
        for route in routes:
            if route.path.endswith("...}"):
                self._rests.append((route.path.split("/"), route))
            elif "{" in route.path:
                segments = route.path.split("/")
                self._patterns.setdefault(len(segments), []).append((segments, route))
            else:
                self._exact[route.method, route.path] = route

    def exact(self, method: str, path: str) -> Route | None:
        """The route of an exact path."""
        return self._exact.get((method, path))

    def find(self, method: str, raw_path: str) -> tuple[Route | None, dict[str, str], set[str]]:
        """The route, its arguments, and the methods that the path knows."""
        path = raw_path if raw_path == "/" else raw_path.rstrip("/")
        while "//" in path:
            path = path.replace("//", "/")
        found = self._exact.get((method, path))
        if found is not None:
            return found, {}, {method}
        allowed = {known for known, exact in self._exact if exact == path}
        given = path.split("/")
        for segments, whole, route in self._candidates(given):
            if all(s[:1] == "{" or s == g for s, g in zip(segments, whole, strict=True)):
                allowed.add(route.method)
                if route.method == method:
                    pairs = zip(segments, whole, strict=True)
                    return route, {s[1:-1]: unquote(g) for s, g in pairs if s[:1] == "{"}, allowed
        return None, {}, allowed

    def _candidates(self, given: list[str]) -> Iterator[tuple[list[str], list[str], Route]]:
        """Patterns of as many segments as the path has, and those that take its rest as the last one."""
        for segments, route in self._patterns.get(len(given), ()):
            yield segments, given, route
        for segments, route in self._rests:
            last = len(segments) - 1
            if len(given) > last:
                named = [*segments[:-1], segments[-1].replace("...", "")]
                yield named, [*given[:last], "/".join(given[last:])], route
