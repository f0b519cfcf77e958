"""Which jobs a secret's policy lets have it: a job is imagined, and each rule says why or why not."""

from litestar import get

from watchword.domain.accounts import Cluster
from watchword.domain.errors import Invalid, NotFound, WatchwordError
from watchword.domain.secretpolicy import SOURCES, Origin, Verdict
from watchword.domain.secrets import ClusterSecret
from watchword.services.queries import Access, Unit
from watchword.services.secretpolicies import Asked, explain
from watchword.services.secrets import find_secret
from watchword.web.clusters import cluster_here
from watchword.web.forms import Problem
from watchword.web.needs import page
from watchword.web.secrets import SECRET
from watchword.web.visit import Page, Visit, WebRequest

_NAMES = ("pipeline", "branch", "tag", "source", "creator", "queue", "pull_request", "agent_tags")
_ORIGINS = (
    (Origin.NONE, "no"),
    (Origin.SAME_REPOSITORY, "yes, of the same repository"),
    (Origin.FORK, "yes, of a fork"),
)


def _asked(given: dict[str, str]) -> Asked:
    """The job that is imagined.

    Raises:
        Invalid: it names no kind of pull request that there is.
    """
    try:
        origin = Origin(given["pull_request"] or Origin.NONE)
    except ValueError:
        raise Invalid(
            "A pull request is none, same_repository or fork.", code="invalid_pull_request"
        ) from None
    return Asked(
        pipeline=given["pipeline"],
        branch=given["branch"],
        tag=given["tag"],
        source=given["source"] or SOURCES[0],
        creator=given["creator"],
        queue=given["queue"] or "default",
        origin=origin,
        agent_tags=given["agent_tags"].split(),
    )


@get(SECRET + "/explain", opt=page("secret.read"))
async def explain_policy(request: WebRequest) -> Page:
    """What the policy makes of the job in the address; nothing is read or recorded."""
    visit = Visit.of(request)
    given = {name: visit.query.text(name) for name in _NAMES}

    async def find(tx: Unit, access: Access) -> tuple[Cluster, ClusterSecret]:
        cluster = await cluster_here(visit, tx, access)
        return cluster, await find_secret(tx, cluster, visit.path("secret"))

    async def judged(tx: Unit, access: Access) -> Verdict:
        return await explain(tx, *await find(tx, access), _asked(given))

    cluster, secret = await visit.read(find)
    errors: list[WatchwordError | Problem] = []
    verdict: Verdict | None = None
    if given["pipeline"]:
        try:
            verdict = await visit.read(judged)
        except NotFound as error:
            errors.append(Problem.of(error, "pipeline"))
        except Invalid as error:
            errors.append(Problem.of(error, "pull_request"))
    return visit.show_again(
        "secrets/explain.html",
        *errors,
        cluster=cluster,
        secret=secret,
        given=given,
        verdict=verdict,
        sources=[(word, word) for word in SOURCES],
        origins=_ORIGINS,
    )


HANDLERS = (explain_policy,)
