"""Configurations: the pipeline document that a pipeline keeps or a request brings, as text or decoded."""

import json

from watchword.domain.errors import Invalid
from watchword.domain.stepreading import read_document
from watchword.domain.steps import Document

EMPTY = Document(steps=())


def read_steps(document: object) -> Document:
    """Read a decoded pipeline document.

    Raises:
        Invalid: a step is not acceptable; the message names it and its key.
    """
    return read_document(document)


def read_configuration(text: str) -> Document:
    """Read the document that a pipeline keeps; no steps where it keeps none.

    Raises:
        Invalid: the text is neither YAML nor JSON, or a step is not acceptable.
    """
    if not text.strip():
        return EMPTY
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise Invalid(
            "Validation failed: configuration must be JSON with a list of steps",
            code="invalid_configuration",
        ) from None
    return read_document(document)


def write_configuration(document: object) -> str:
    """Text of a decoded document, as a pipeline keeps it."""
    whole = document if isinstance(document, dict) else {"steps": document}
    return json.dumps(whole, ensure_ascii=False, indent=2)
