"""Names of Python packages: what an upload's form says of itself, checked and normalised.

Names after PEP 503, versions after PEP 440, file names after the binary and source distribution formats;
the library `packaging` knows the rules. Of the file itself nothing is opened.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidName,
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    canonicalize_version,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from watchword.domain.errors import Invalid, Malformed
from watchword.domain.packages import (
    MAX_NAME,
    MAX_REQUIRES_PYTHON,
    MAX_SUMMARY,
    MAX_VERSION,
    check_filename,
)

_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Upload:
    """What an upload says of itself.

    Attributes:
        name: as it was written.
        project: normalised.
        version: normalised.
        sha256: hex digits that were announced; empty for none.
        blake2: the same of BLAKE2b-256.
    """

    name: str
    project: str
    version: str
    filename: str
    summary: str
    requires_python: str
    sha256: str
    blake2: str


def project_of(text: str) -> str:
    """The normalised name of a project; empty where the text is no name."""
    try:
        return str(canonicalize_name(text[: MAX_NAME + 1], validate=True)) if len(text) <= MAX_NAME else ""
    except InvalidName:
        return ""


def read_upload(fields: Mapping[str, str], filename: str) -> Upload:
    """What the fields of an upload's form and its file's name say.

    Raises:
        Malformed: it is none, or name, version and file do not belong together.
    """
    if fields.get(":action") != "file_upload":
        raise Malformed("The form's :action is file_upload.", code="unknown_action")
    name = fields.get("name", "").strip()
    project = project_of(name)
    if not project:
        raise Malformed(f"{name[:MAX_NAME]!r} is no name of a package.", code="invalid_name")
    version = _version(fields.get("version", "").strip())
    try:
        check_filename(filename)
        _check_parts(filename, project, version)
    except Invalid as error:
        raise Malformed(error.message, code=error.code) from None
    return Upload(
        name=name,
        project=project,
        version=str(version),
        filename=filename,
        summary=" ".join(fields.get("summary", "").split())[:MAX_SUMMARY],
        requires_python=_requires(fields.get("requires_python", "").strip()),
        sha256=_digest(fields, "sha256_digest"),
        blake2=_digest(fields, "blake2_256_digest"),
    )


def _version(text: str) -> Version:
    try:
        if len(text) <= MAX_VERSION:
            return Version(text)
    except InvalidVersion:
        pass
    raise Malformed(f"{text[:MAX_VERSION]!r} is no version (PEP 440).", code="invalid_version")


def _check_parts(filename: str, project: str, version: Version) -> None:
    """Require that a file's name is that of a wheel or source distribution of this very version.

    Raises:
        Malformed: it is not.
    """
    try:
        if filename.endswith(".whl"):
            found, of, _, _ = parse_wheel_filename(filename)
        else:
            found, of = parse_sdist_filename(filename)
    except (InvalidWheelFilename, InvalidSdistFilename):
        raise Malformed(
            f"{filename!r} is no name of a wheel (.whl) or source distribution (.tar.gz, .zip).",
            code="invalid_filename",
        ) from None
    if str(found) != project or canonicalize_version(of) != canonicalize_version(version):
        raise Malformed(
            f"{filename!r} is not a file of {project} {version}: name and version do not fit.",
            code="filename_differs",
        )


def _requires(text: str) -> str:
    if not text:
        return ""
    try:
        if len(text) <= MAX_REQUIRES_PYTHON:
            SpecifierSet(text)
            return text
    except InvalidSpecifier:
        pass
    raise Malformed(
        f"Requires-Python {text[:MAX_REQUIRES_PYTHON]!r} cannot be read.", code="invalid_specifier"
    )


def _digest(fields: Mapping[str, str], name: str) -> str:
    text = fields.get(name, "").strip().lower()
    if text and not _HEX.fullmatch(text):
        raise Malformed(f"{name} is 64 hex digits.", code="invalid_digest")
    return text
