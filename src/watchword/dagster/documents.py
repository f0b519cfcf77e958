"""GraphQL requests of a token that has passed: read, prepared, answered. Imported at the first of them."""

from watchword.dagster.call import Call
from watchword.dagster.engine import Engine, refused
from watchword.dagster.schema import executable
from watchword.domain.errors import Invalid
from watchword.edge.asking import ask
from watchword.edge.http import Request, Response

# A heartbeat has up to 25 errors of 10,000 characters each, an event of a run what a step returned.
MAX_BODY = 8 * 1024 * 1024


class Documents:
    """Answers documents."""

    def __init__(self) -> None:
        self.engine = Engine(executable())

    async def answer(self, request: Request, call: Call) -> Response:
        """Answer a request; a fault of the document is told in it, with status 200, so that clients print it.

        Raises:
            TooLarge: the body is.
            Forbidden: one of the fields has the whole call refused.
        """
        body = await request.body(MAX_BODY)
        try:
            asked = ask(body)
            prepared = self.engine.prepare(asked.query, asked.operation)
        except Invalid as error:
            return Response.json(refused(error, request.id))
        if prepared.hot is not None:
            answer = await prepared.hot(call, asked.variables)
            if answer is not None:
                return answer
        return Response.json(await self.engine.run(prepared, asked, call))
