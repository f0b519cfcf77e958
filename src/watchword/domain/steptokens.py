"""`job_token` of a step or a document: what tokens of jobs may do (`domain.jobrights`)."""

from watchword.domain.errors import Invalid
from watchword.domain.jobrights import JobRight, keep_rights, read_rights
from watchword.domain.stepfields import Place, an_object, texts

KEY = "job_token"
_KNOWN = ("rights", "without")


def read_job_token(place: Place, value: object) -> str:
    """Read `job_token`, as a job's row keeps rights; empty for all of them.

    Raises:
        Invalid: it is no object with `rights` or `without`, or names a right that there is not.
    """
    if value is None:
        return ""
    said = an_object(place, KEY, value, _KNOWN)
    if len(said) != 1:
        raise place.refuse(
            KEY, "needs one of `rights`, all that there are, and `without`, all that there are not."
        )
    ((key, words),) = said.items()
    try:
        named = read_rights(texts(place, f"{KEY}.{key}", words))
    except Invalid as error:
        raise (
            error if error.code != "unknown_right" else place.refuse(f"{KEY}.{key}", f"{error.message}.")
        ) from None
    return keep_rights(named if key == "rights" else set(JobRight) - named)
