"""Addresses that carry their own right: signed, for one thing, for a time; for the bytes of artifacts.

An agent sends no token with the bytes (contract agent-api §1.2), so the address or the form says it all.
Whoever holds one may do that one thing until it expires; it holds no token and opens nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from watchword.crypto.keys import Purpose
from watchword.crypto.signatures import holds, sign
from watchword.domain.artifacts import Artifact
from watchword.domain.errors import Forbidden
from watchword.domain.ids import BuildId, JobId, OrganizationId
from watchword.services.context import Context

UPLOADS = "/artifact-uploads"
PARTS = "/artifact-parts"
DOWNLOADS = "/artifact-downloads"

# The time for all files of a job, tries again included; the job's end ends it sooner.
UPLOAD_SECONDS = 24 * 3600
# A search names thousands of files before the first of them is fetched.
SEARCH_SECONDS = 6 * 3600
# A person's browser or client follows at once.
DOWNLOAD_SECONDS = 600
_SECOND_US = 1_000_000
_MAX_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Batch:
    """What a form may fill: the artifacts that one call announced."""

    organization_id: OrganizationId
    job_id: JobId
    build_id: BuildId
    id: str


def _signed(context: Context, seconds: int, *words: str) -> dict[str, str]:
    key = context.keys.active(Purpose.ARTIFACT)
    expires = str(context.clock.now() // _SECOND_US + seconds)
    return {"expires": expires, "key": str(key.number), "signature": sign(key, *words, expires)}


def _check(context: Context, given: Mapping[str, str], *words: str) -> None:
    """Require our signature, and that its time is not over.

    Raises:
        Forbidden: one or the other.
    """
    number, expires = given.get("key", ""), given.get("expires", "")
    key = context.keys.find(Purpose.ARTIFACT, int(number)) if _number(number) else None
    if key is None or not _number(expires) or not holds(key, given.get("signature", ""), *words, expires):
        raise Forbidden("This address was not made here, or not for this.", code="link_invalid")
    if context.clock.now() >= int(expires) * _SECOND_US:
        raise Forbidden("This address has expired; ask for a new one.", code="link_expired")


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS


def signed_query(context: Context, seconds: int, *words: str) -> dict[str, str]:
    """Parameters of an address that lets its holder do what the words say, for a time."""
    return _signed(context, seconds, *words)


def check_query(context: Context, query: Mapping[str, str], *words: str) -> None:
    """Require that an address was made here for what the words say.

    Raises:
        Forbidden: it was not, or its time is over.
    """
    _check(context, query, *words)


def form_fields(context: Context, batch: Batch) -> dict[str, str]:
    """Fields that let a form fill the artifacts of a batch."""
    words = ("form", batch.organization_id, batch.build_id, batch.job_id, batch.id)
    return {
        "organization": batch.organization_id,
        "build": batch.build_id,
        "job": batch.job_id,
        "batch": batch.id,
        **_signed(context, UPLOAD_SECONDS, *words),
    }


def check_form(context: Context, fields: Mapping[str, str]) -> Batch:
    """The batch that a form may fill.

    Raises:
        Forbidden: the fields are not ours, or their time is over.
    """
    batch = Batch(
        OrganizationId(fields.get("organization", "")),
        JobId(fields.get("job", "")),
        BuildId(fields.get("build", "")),
        fields.get("batch", ""),
    )
    _check(context, fields, "form", batch.organization_id, batch.build_id, batch.job_id, batch.id)
    return batch


def part_link(context: Context, site: str, artifact: Artifact, part: int) -> str:
    """Where a part of an artifact is put."""
    words = (artifact.organization_id, artifact.id, str(part))
    return f"{site}{PARTS}/{'/'.join(words)}?{urlencode(_signed(context, UPLOAD_SECONDS, 'part', *words))}"


def check_part(context: Context, query: Mapping[str, str], organization_id: str, id_: str, part: str) -> None:
    """Require that an address to put a part is ours.

    Raises:
        Forbidden: it is not, or its time is over.
    """
    _check(context, query, "part", organization_id, id_, part)


def download_link(context: Context, site: str, artifact: Artifact, seconds: int) -> str:
    """Where an artifact's bytes are, for whoever is given this; elsewhere for what the agent kept itself."""
    if not artifact.ours:
        return artifact.url
    words = (artifact.organization_id, artifact.id)
    return f"{site}{DOWNLOADS}/{'/'.join(words)}?{urlencode(_signed(context, seconds, 'download', *words))}"


def check_download(context: Context, query: Mapping[str, str], organization_id: str, id_: str) -> None:
    """Require that an address to read an artifact is ours.

    Raises:
        Forbidden: it is not, or its time is over.
    """
    _check(context, query, "download", organization_id, id_)


def receipt(context: Context, artifact: Artifact, part: int) -> str:
    """What says that a part has arrived whole; agents hand it back as its ETag."""
    key = context.keys.active(Purpose.ARTIFACT)
    return f"{key.number}-{sign(key, 'receipt', artifact.id, str(part))}"


def receipt_holds(context: Context, artifact: Artifact, part: int, text: str) -> bool:
    """Whether a receipt is ours, for this part."""
    number, _, signature = text.strip().removeprefix("W/").strip('"').partition("-")
    key = context.keys.find(Purpose.ARTIFACT, int(number)) if _number(number) else None
    return key is not None and holds(key, signature, "receipt", artifact.id, str(part))
