"""For FastAPI: a dependency that lets live tokens pass.

tokens = AsyncIntrospector("https://watchword.example.com", api_token)
reader = Annotated[ActiveToken, Depends(TokenRequired(tokens, scopes={"read_builds"}))]
"""

from collections.abc import Collection

from fastapi import HTTPException, Request

from watchword.client.answers import ActiveToken, TokenRefused, Unavailable
from watchword.client.asynchronous import AsyncIntrospector
from watchword.client.schemes import value_of


class TokenRequired:
    """A dependency (`fastapi.Depends`) that gives the token behind the `Authorization` header.

    It answers 401 or 403 with a challenge where the token does not pass, 503 where that cannot be found out.

    Args:
        tokens: asks the authority.
        kinds: kinds of tokens that pass; empty takes all.
        scopes: scopes that the token needs.
        organization: id of the organization that it must speak for; None takes each that the resource server
            may ask about.
        fresh: ask the authority at every request.
    """

    def __init__(
        self,
        tokens: AsyncIntrospector,
        *,
        kinds: Collection[str] = (),
        scopes: Collection[str] = (),
        organization: str | None = None,
        fresh: bool = False,
    ) -> None:
        self._tokens = tokens
        self._kinds, self._scopes = kinds, scopes
        self._organization, self._fresh = organization, fresh

    async def __call__(self, request: Request) -> ActiveToken:
        """The token of a request.

        Raises:
            HTTPException: it does not pass.
        """
        try:
            return await self._tokens.require(
                value_of(request.headers.get("authorization")),
                kinds=self._kinds,
                scopes=self._scopes,
                organization=self._organization,
                client_address=request.client.host if request.client else None,
                fresh=self._fresh,
            )
        except TokenRefused as error:
            raise HTTPException(error.status, str(error), {"WWW-Authenticate": error.challenge}) from None
        except Unavailable:
            raise HTTPException(503, "Tokens cannot be checked at the moment; try again.") from None
