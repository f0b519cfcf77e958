"""For Django: a decorator of views that lets live tokens pass.

tokens = Introspector("https://watchword.example.com", api_token)

@token_required(tokens, scopes={"read_builds"})
def builds(request): ...  # request.watchword_token is the token
"""

from collections.abc import Callable, Collection
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.http import HttpRequest, HttpResponse, JsonResponse

from watchword.client.answers import TokenRefused, Unavailable
from watchword.client.schemes import value_of
from watchword.client.synchronous import Introspector

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]
ATTRIBUTE = "watchword_token"


def token_required(
    tokens: Introspector,
    *,
    kinds: Collection[str] = (),
    scopes: Collection[str] = (),
    organization: str | None = None,
    fresh: bool = False,
) -> Callable[[View[P]], View[P]]:
    """Require a live token for a view; it stands as `request.watchword_token` then.

    It answers 401 or 403 with a challenge where the token does not pass, 503 where that cannot be found out.

    Args:
        tokens: asks the authority.
        kinds: kinds of tokens that pass; empty takes all.
        scopes: scopes that the token needs.
        organization: id of the organization that it must speak for; None takes each that the resource server
            may ask about.
        fresh: ask the authority at every request.
    """

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            try:
                token = tokens.require(
                    value_of(request.headers.get("authorization")),
                    kinds=kinds,
                    scopes=scopes,
                    organization=organization,
                    client_address=request.META.get("REMOTE_ADDR"),
                    fresh=fresh,
                )
            except TokenRefused as error:
                answer = JsonResponse({"message": str(error), "code": error.code}, status=error.status)
                answer["WWW-Authenticate"] = error.challenge
                return answer
            except Unavailable:
                message = "Tokens cannot be checked at the moment; try again."
                return JsonResponse({"message": message, "code": "unavailable"}, status=503)
            setattr(request, ATTRIBUTE, token)
            return view(request, *args, **kwargs)

        return cast("View[P]", guarded)

    return decorate
