"""Notes: annotations as HTML, made once for each text and beside other requests."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256

from watchword.domain.pipelines import Annotation
from watchword.services.markup import artifact_query, as_written, to_html

# Bytes of HTML that are kept, and of annotations that one page has formatted anew.
_KEPT = 16 * 1024 * 1024
_ANEW = 512 * 1024


@dataclass(slots=True)
class Notes:
    """Formats annotations."""

    _known: OrderedDict[tuple[str, bytes], str] = field(default_factory=OrderedDict)
    _size: int = 0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def show(self, annotations: list[Annotation], artifacts: str) -> list[str]:
        """HTML of annotations of one build, in which nothing acts.

        Args:
            annotations: the annotations.
            artifacts: where an artifact is found by its path, which is added to this.
        """
        left = _ANEW
        shown = []
        for annotation in annotations:
            key = (artifacts, sha256(annotation.body.encode()).digest())
            html = self._known.get(key)
            if html is None:
                left -= len(annotation.body)
                html = as_written(annotation.body) if left < 0 else await self._make(key, annotation.body)
            else:
                self._known.move_to_end(key)
            shown.append(html)
        return shown

    async def _make(self, key: tuple[str, bytes], body: str) -> str:
        """Format a text in a thread, one at a time: a hostile one takes its time, but not everybody's."""
        async with self._turn:
            html = await asyncio.to_thread(to_html, body, lambda path: key[0] + artifact_query(path))
        if key not in self._known:
            self._known[key] = html
            self._size += len(html)
        while self._size > _KEPT:
            _, gone = self._known.popitem(last=False)
            self._size -= len(gone)
        return html
