"""The files of the web pages; names with a hash of their content may be kept for ever."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

__all__ = ("WEB", "Pages")

WEB = Path(__file__).parents[1] / "web"
HASHED = re.compile(r".+[-.][0-9A-Za-z_-]{8,}\.\w+")
FOR_EVER = "public, max-age=31536000, immutable"
NOT_BUILT = "the pages are not built: make ui\nthe API is at /api/v1/, see docs/api.md\n"
TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


class Pages:
    """Files of a directory. They are read once: nothing else can be asked for, and a server that
    has given up its rights may not be able to read them any more.

    Args:
        directory: with index.html; it may be missing.
    """

    def __init__(self, directory: Path = WEB) -> None:
        self._files = {
            path.relative_to(directory).as_posix(): path.read_bytes()
            for path in sorted(directory.rglob("*"))
            if path.is_file() and path.suffix in TYPES
        }

    async def answer(self, request: Request) -> Response:
        """A file, or the one page."""
        name = request.path_params.get("name", "") or "index.html"
        content = self._files.get(name)
        if content is None and name == "index.html":
            return PlainTextResponse(NOT_BUILT, 404)
        if content is None:
            raise HTTPException(404, f"there is no page {name[:80]!r}")
        keep = FOR_EVER if HASHED.fullmatch(PurePosixPath(name).name) else "no-cache"
        media_type = TYPES[PurePosixPath(name).suffix]
        return Response(content, headers={"cache-control": keep}, media_type=media_type)
