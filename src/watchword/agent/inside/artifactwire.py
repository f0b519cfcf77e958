"""What goes over the wire about artifacts (contract section 2.5)."""

import msgspec


class Described(msgspec.Struct, kw_only=True):
    """One artifact as it is announced."""

    path: str
    absolute_path: str
    glob_path: str
    file_size: int
    sha1sum: str
    sha256sum: str
    content_type: str
    url: str = ""


class Batch(msgspec.Struct, kw_only=True):
    """Request of `POST jobs/{id}/artifacts`; the id makes repeats harmless."""

    id: str
    upload_destination: str
    artifacts: list[Described]
    multipart_supported: bool = True


class Action(msgspec.Struct, kw_only=True):
    """Where bytes go: a form, or a part of a file."""

    url: str
    method: str = "POST"
    path: str = ""
    file_input: str = "file"
    part_number: int = 0


class Instructions(msgspec.Struct, kw_only=True):
    """How one artifact is uploaded."""

    action: Action | None = None
    actions: list[Action] | None = None
    data: dict[str, str] | None = None


class Created(msgspec.Struct, kw_only=True):
    """Answer to a `Batch`: ids in its order, and instructions for all or for some."""

    artifact_ids: list[str]
    upload_instructions: Instructions | None = None
    per_artifact_instructions: dict[str, Instructions] | None = None


class Etag(msgspec.Struct):
    """What the storage said to one part."""

    part_number: int
    etag: str


class State(msgspec.Struct, kw_only=True, omit_defaults=True):
    """How one upload ended."""

    id: str
    state: str
    multipart: bool = False
    multipart_etags: list[Etag] = []


class Found(msgspec.Struct, kw_only=True):
    """One artifact of a search's answer."""

    id: str
    path: str
    job_id: str = ""
    file_size: int = 0
    sha1sum: str = ""
    sha256sum: str | None = ""
    created_at: str = ""
    url: str | None = ""
    upload_destination: str | None = ""
