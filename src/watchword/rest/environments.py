"""The environment of a job (contract rest-graphql §2.17)."""

import msgspec
from litestar import Response, get

from watchword.rest.call import Call, RestRequest, needs
from watchword.rest.jobs import JOB, locate
from watchword.services.jobanswers import environment_of
from watchword.services.queries import Access, Unit


class JobEnvironment(msgspec.Struct, kw_only=True):
    """Variables of a job, as its agent got them; without tokens."""

    env: dict[str, str]


async def _environment(call: Call) -> dict[str, str]:
    async def work(tx: Unit, access: Access) -> dict[str, str]:
        _, job = await locate(call, tx, access)
        return dict(await environment_of(call.context, tx, job))

    return await call.read(work)


@get([path + "/env" for path in JOB], opt=needs("job.environment"), summary="Get a job's environment")
async def get_environment(request: RestRequest) -> Response[JobEnvironment | str]:
    """Variables of a job; as lines of text where `Accept` asks for that."""
    env = await _environment(Call.of(request))
    if request.headers.get("accept", "").startswith("text/plain"):
        return Response(_lines(env), media_type="text/plain")
    return Response(JobEnvironment(env=env), media_type="application/json")


@get(
    [path + "/env.txt" for path in JOB],
    opt=needs("job.environment"),
    media_type="text/plain",
    summary="Get a job's environment as text",
)
async def get_environment_text(request: RestRequest) -> Response[str]:
    """Variables of a job as lines `NAME="value"`."""
    return Response(_lines(await _environment(Call.of(request))), media_type="text/plain")


def _lines(env: dict[str, str]) -> str:
    """Lines that dotenv readers take: a JSON text is one of their quoted texts."""
    return "".join(f"{name}={msgspec.json.encode(value).decode()}\n" for name, value in env.items())


HANDLERS = (get_environment, get_environment_text)
