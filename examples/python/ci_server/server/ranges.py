"""Parts of a text whose length nobody knows before it was read."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*")
LARGEST = 16 << 20
"""The longest part that is given; a longer one is cut, as a server may."""


@dataclass(frozen=True)
class Part:
    """A part of a text."""

    first: int
    """The place of its first byte."""
    content: bytes
    """Its bytes; at least one."""
    total: str
    """How many bytes the text has; `*` if it was not read to its end."""


async def part(header: str, pieces: AsyncIterator[bytes]) -> Part | None:
    """The part that the header `Range` names: `bytes=a-b`, `bytes=a-` or `bytes=-n`. None if there is
    none, or the header is no such range."""
    found = RANGE.fullmatch(header)
    if found is None or found[1] == found[2] == "":
        return None
    if found[1] == "":
        return await _last(min(int(found[2]), LARGEST), pieces)
    first = int(found[1])
    end = first + LARGEST if found[2] == "" else min(int(found[2]) + 1, first + LARGEST)
    content, place, total = bytearray(), 0, "*"
    async for piece in pieces:
        content += piece[max(0, first - place) : max(0, end - place)]
        place += len(piece)
        if place >= end:
            break
    else:
        total = str(place)
    return Part(first, bytes(content), total) if content else None


async def _last(count: int, pieces: AsyncIterator[bytes]) -> Part | None:
    content, total = bytearray(), 0
    async for piece in pieces:
        total += len(piece)
        content += piece
        if len(content) > 2 * count + (1 << 20):
            del content[:-count or None]
    end = bytes(content[-count:]) if count else b""
    return Part(total - len(end), end, str(total)) if end else None
