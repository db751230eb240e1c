"""Static files of the explore page, and their security headers."""

from pathlib import Path
from types import MappingProxyType

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

_FOLDER = Path(__file__).parent / "page"
_TYPES = MappingProxyType(
    {
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".svg": "image/svg+xml",
    }
)
# The browser runs only files of this server, and these can connect only to it.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def explore_page() -> APIRouter:
    """Creates the routes of the page: `/explore/` and its files, which are read once. `/` and `/explore` redirect."""
    router = APIRouter(include_in_schema=False)
    files = {path.name: path.read_bytes() for path in sorted(_FOLDER.iterdir()) if path.suffix in _TYPES}

    @router.get("/")
    async def root() -> Response:
        return RedirectResponse("explore/")

    @router.get("/explore")
    async def add_slash() -> Response:
        return RedirectResponse("explore/")

    @router.get("/explore/")
    async def page() -> Response:
        return _file("index.html")

    @router.get("/explore/{name}")
    async def file(name: str) -> Response:
        if name not in files:
            return Response("File not found.", 404, _HEADERS, "text/plain; charset=utf-8")
        return _file(name)

    def _file(name: str) -> Response:
        return Response(files[name], 200, _HEADERS, _TYPES[Path(name).suffix])

    return router
