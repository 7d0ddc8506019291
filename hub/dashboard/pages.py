"""`/ui/*`: the built dashboard, as files.

Every path without a file is one of the dashboard's own pages and answered with `index.html`, so that a deep link works. Files whose name
carries a hash of their content are kept by browsers for ever; the others are asked for again each time, by ETag. What the build has
compressed goes out compressed. The list of files is made from the folder, and a path is only looked up in it: no path of a request
ever reaches the file system.
"""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
"""No script and no style but the files of the build; what a text says can never run."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
_HASHED = re.compile(r"assets/.+-[A-Za-z0-9_-]{8,}\.[a-z0-9]+")
ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
"""What the build makes beside a file, the smaller first."""
_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
}

NOT_BUILT = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Handset Hub</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head><body>
<h1>The hub is running. Its dashboard was not built.</h1>
<p>The pages are made with Node 20.19 or newer (or 22.12 or newer) when the hub is installed. In the hub's folder, run:</p>
<pre>make install</pre>
<p>and open this page again; the hub need not be restarted. Everything else works: the API is described at <a href="/docs">/docs</a>.</p>
<p>Looked for in {folder}</p></body></html>
"""


class _File(msgspec.Struct, frozen=True):
    """One file of the build, in memory."""

    content: bytes
    media_type: str
    etag: str
    cache: str
    compressed: Mapping[str, bytes]
    """By the name of the encoding."""


def built_folder() -> Path:
    """Where the built pages are: inside the installed package, or beside it in a working copy."""
    here = Path(__file__).resolve().parent
    installed = here / "dist"
    return installed if installed.is_dir() else here.parent.parent / "web" / "dist"


class Pages:
    """The files of one build; another build in its place is noticed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._built_at = 0
        self._files: Mapping[str, _File] = {}

    async def home(self, _request: Request) -> Response:
        """`/` and `/ui`."""
        return RedirectResponse("/ui/", headers=HEADERS)

    async def page(self, request: Request) -> Response:
        """A file, or the page that finds out in the browser what to show."""
        path = request.path_params["path"]
        files = self._current()
        found = files.get(path)
        if found is None and not _is_a_page(path):
            return Response("There is no such file.\n", 404, HEADERS, "text/plain")
        found = found or files.get("index.html")
        if found is None:
            return Response(NOT_BUILT.format(folder=escape(str(self._folder))), 503, HEADERS, "text/html")
        return _answer(request, found)

    def _current(self) -> Mapping[str, _File]:
        built_at = _changed_at(self._folder / "index.html")
        if built_at != self._built_at:
            self._files = _read_folder(self._folder) if built_at else {}
            self._built_at = built_at
        return self._files


def _is_a_page(path: str) -> bool:
    """Pages' addresses have no dot in their last word; files have."""
    return not path.startswith("assets/") and "." not in path.rpartition("/")[2]


def _changed_at(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def _read_folder(folder: Path) -> Mapping[str, _File]:
    suffixes = tuple(suffix for _, suffix in ENCODINGS)
    names = {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*")) if file.is_file()}
    return {name: _read_file(name, names) for name in names if not name.endswith(suffixes)}


def _read_file(name: str, names: Mapping[str, Path]) -> _File:
    content = names[name].read_bytes()
    return _File(
        content=content,
        media_type=_TYPES.get(names[name].suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream",
        etag=hashlib.sha256(content).hexdigest()[:32],
        cache=FOR_EVER if _HASHED.fullmatch(name) else ASK_AGAIN,
        compressed={
            encoding: names[name + suffix].read_bytes() for encoding, suffix in ENCODINGS if name + suffix in names
        },
    )


def _answer(request: Request, file: _File) -> Response:
    encoding = _encoding(request.headers.get("accept-encoding", ""), file)
    # A weak one: the same ETag stands for the page whichever way it was compressed (RFC 9110 §8.8.1).
    etag = f'W/"{file.etag}"'
    headers = {**HEADERS, "ETag": etag, "Cache-Control": file.cache, "Vary": "Accept-Encoding"}
    if etag in (one.strip() for one in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    if encoding is not None:
        headers["Content-Encoding"] = encoding
        return Response(file.compressed[encoding], headers=headers, media_type=file.media_type)
    return Response(file.content, headers=headers, media_type=file.media_type)


def _encoding(accepted: str, file: _File) -> str | None:
    """The first of our encodings that the browser takes (RFC 9110 §12.5.3; a weight of 0 means it does not)."""
    takes = {}
    for part in accepted.lower().split(","):
        name, _, parameters = part.partition(";")
        takes[name.strip()] = parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return next((name for name, _ in ENCODINGS if name in file.compressed and takes.get(name, False)), None)


def page_routes(folder: Path | None = None) -> Sequence[BaseRoute]:
    """`/`, `/ui` and everything below `/ui/`."""
    pages = Pages(folder or built_folder())
    return [
        Route("/", pages.home, methods=["GET"]),
        Route("/ui", pages.home, methods=["GET"]),
        Route("/ui/{path:path}", pages.page, methods=["GET"]),
    ]
