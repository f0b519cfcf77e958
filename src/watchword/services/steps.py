"""Configurations: the pipeline document that a pipeline keeps, as its text and decoded."""

import asyncio
import json
from dataclasses import dataclass

from watchword.domain.errors import Invalid
from watchword.domain.pipelines import Pipeline
from watchword.domain.stepreading import read_document
from watchword.domain.steps import Document
from watchword.yamltext import read_yaml

EMPTY = Document(steps=())


@dataclass(frozen=True, slots=True)
class Configuration:
    """A pipeline document to keep.

    Attributes:
        text: as a person wrote it.
        document: decoded, as JSON; reading YAML takes long.
        error: why it is none; to be raised where the text is wanted.
    """

    text: str = ""
    document: str = ""
    error: Invalid | None = None

    def checked(self) -> "Configuration":
        """The configuration itself.

        Raises:
            Invalid: it could not be read.
        """
        if self.error is not None:
            raise self.error
        return self


async def read_configuration(text: str) -> Configuration:
    """Read YAML or JSON in a thread: a long text would hold up everybody."""
    if not text.strip():
        return Configuration()
    return await asyncio.to_thread(_read, text)


def _read(text: str) -> Configuration:
    try:
        decoded = _decoded(text)
        read_document(decoded)
    except Invalid as error:
        return Configuration(text, error=error)
    return Configuration(text, json.dumps(decoded, ensure_ascii=False))


def _decoded(text: str) -> object:
    try:
        decoded: object = json.loads(text)
    except (ValueError, RecursionError):
        return read_yaml(text)
    return decoded


def configuration_of(steps: object) -> Configuration:
    """A configuration of decoded steps.

    Raises:
        Invalid: a step is not acceptable; the message names it and its key.
    """
    read_document(steps)
    whole = steps if isinstance(steps, dict) else {"steps": steps}
    text = json.dumps(whole, ensure_ascii=False, indent=2)
    return Configuration(text, text)


def document_of_pipeline(pipeline: Pipeline) -> Document:
    """The steps that a pipeline keeps; none where it keeps none.

    Raises:
        Invalid: an older version took what this one does not.
    """
    text = pipeline.document or pipeline.configuration
    if not text.strip():
        return EMPTY
    try:
        decoded = json.loads(text)
    except (ValueError, RecursionError):
        raise Invalid(
            "The configuration of this pipeline cannot be read.", code="invalid_configuration"
        ) from None
    return read_document(decoded)
