"""Who is answered: clients that ask for the server by one of its names, and no page of another site.

Any page can make its visitor's browser send requests to servers of the visitor's machine or network. The browser keeps
the answers from the page, unless the page's own name leads to that server ("DNS rebinding"); names are therefore
checked. A request whose answer is kept is computed all the same; the asking page's origin is therefore checked too.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]\s]+)(:\d*)?")
_PATTERN = re.compile(r"\*|(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?|\[?[0-9a-fA-F:.]+\]?")
_ADDRESS_TYPES = (ipaddress.IPv4Address, ipaddress.IPv6Address)
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}


class AllowedHosts:
    """An app that answers requests for a server's own names, or for none; others get a 400.

    These are localhost, loopback addresses, the host that the server was told to listen on, and the names given. A
    server that listens to other machines also has this machine's own name. One that listens on all addresses (0.0.0.0)
    can be asked by any of them: a number is no foreign name.

    Args:
        app: the app.
        host: what the server was told to listen on.
        address: the address that it listens on.
        more: other names, `*.example.com` for all names that end so, or `*` for any name.

    Raises:
        ValueError: when one of `more` is no name, such as an address with a port.
    """

    def __init__(self, app: ASGIApp, *, host: str, address: str, more: Iterable[str] = ()):
        for pattern in more:
            if not _PATTERN.fullmatch(pattern):
                raise ValueError(
                    "An allowed host is a name without scheme and port, such as models.example.com, *.example.com for "
                    f"all names that end so, or * for any name. Received: allowed_host={pattern!r}"
                )
        self._app = app
        listens_on = _parsed(address)
        own = set() if _is_loopback(listens_on) else _own_names()
        allowed = {_parsed(name) for name in ("localhost", host, address, *own, *more)}
        self._suffixes = tuple(name[1:] for name in allowed if isinstance(name, str) and name.startswith("*."))
        self._allowed, self._any_name = allowed, "*" in allowed
        self._any_address = isinstance(listens_on, _ADDRESS_TYPES) and listens_on.is_unspecified

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._any_name:
            hosts = Headers(scope=scope).getlist("host")
            # Browsers always say a host; a client that says none, as HTTP/1.0 allows, is no page.
            if len(hosts) > 1 or not all(map(self._is_allowed, hosts)):
                message = (
                    "Requests for other hosts are refused. Use localhost or the address that --host names, or allow "
                    f"the name: --allowed-host NAME. Received: Host={', '.join(hosts)[:80]!r}"
                )
                await JSONResponse({"error": message}, 400, _HEADERS)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _is_allowed(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = _parsed(found[1])
        if isinstance(name, str):
            return name in self._allowed or name.endswith(self._suffixes)
        return name in self._allowed or self._any_address or _is_loopback(name)


class SameOrigin:
    """An app that does not answer pages of other sites, and says that they may not show its answers.

    Browsers say which page asks; other clients do not, and are answered. A link from another site is followed.

    Args:
        app: the app.

    References:
        Fetch Metadata Request Headers, https://www.w3.org/TR/fetch-metadata/.
    """

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if _is_foreign(scope["method"], headers):
            name = "origin" if "origin" in headers else "sec-fetch-site"
            message = (
                "Requests from pages of other sites are refused. Send them from a page of this server, or from a "
                f"client that is no browser. Received: {name.title()}={headers[name][:80]!r}"
            )
            await JSONResponse({"error": message}, 403, _HEADERS)(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    answer.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _is_foreign(method: str, headers: Headers) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None:
        is_link = method in ("GET", "HEAD") and headers.get("sec-fetch-mode") == "navigate"
        return site not in ("same-origin", "none") and not is_link
    # Browsers say the site to localhost and over HTTPS only.
    origin = headers.get("origin")
    return origin is not None and origin.lower().partition("://")[2] != headers.get("host", "").lower()


def _parsed(name: str) -> str | ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address, or a name as names are compared."""
    name = name.lower().removesuffix(".")
    try:
        address = ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return name
    return getattr(address, "ipv4_mapped", None) or address


def _is_loopback(name: object) -> bool:
    return isinstance(name, _ADDRESS_TYPES) and name.is_loopback


def _own_names() -> set[str]:
    name = socket.gethostname()
    short = name.partition(".")[0]
    return {name, short, f"{short}.local"}
