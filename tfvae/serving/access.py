"""Access control: requests must use one of the server's host names and must not come from pages of other sites.

Any web page can make the browser of its visitor send requests to servers on the visitor's machine or network. The
browser hides the responses from the page, unless the page's own host name resolves to that server ("DNS rebinding").
Host names are therefore checked. A hidden response is still computed, so the origin of the page is checked too.
"""

import functools
import ipaddress
import re
import socket
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]\s]+)(:\d*)?")
_PATTERN = re.compile(r"\*|(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?|\[?[0-9a-fA-F:.]+\]?")
_ADDRESS_TYPES = (ipaddress.IPv4Address, ipaddress.IPv6Address)
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}
_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]


class AllowedHosts:
    """ASGI middleware that accepts requests to the server's own host names and answers others with status 400.

    The accepted names are localhost, loopback addresses, the configured host and the names in `more`. A server that is
    reachable from other machines also accepts the name of this machine. A server that listens on all addresses
    (0.0.0.0) accepts any numeric address, because DNS rebinding needs a name. Requests without a host are accepted.

    Args:
        app: The wrapped app.
        host: Host that the server was configured to listen on.
        address: Address that the server listens on.
        more: Other names, `*.example.com` for all names with this ending, or `*` for any name.

    Raises:
        ValueError: If an element of `more` is not a host name, for example because it includes a port.
    """

    def __init__(self, app: ASGIApp, *, host: str, address: str, more: Iterable[str] = ()):
        for pattern in more:
            if not _PATTERN.fullmatch(pattern):
                raise ValueError(
                    "An allowed host must be a name without scheme and port, such as models.example.com, or "
                    "*.example.com for all names with this ending, or * for any name. "
                    f"Received: allowed_host={pattern!r}"
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
            # Browsers always send a host. A client without one, as HTTP/1.0 allows, is not a browser.
            if len(hosts) > 1 or not all(map(self._is_allowed, hosts)):
                message = (
                    "Requests to other host names are refused. Use localhost or the address given by --host, or allow "
                    f"the name with --allowed-host NAME. Received: Host={', '.join(hosts)[:80]!r}"
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
    """ASGI middleware that refuses requests from pages of other sites and forbids such pages to embed its responses.

    Browsers send the origin of the requesting page. Other clients do not, and are accepted. Links from other sites
    work.

    Args:
        app: The wrapped app.

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
        if _is_cross_site(scope["method"], headers):
            name = "origin" if "origin" in headers else "sec-fetch-site"
            message = (
                "Requests from pages of other sites are refused. Send them from a page of this server or from a "
                f"client other than a browser. Received: {name.title()}={headers[name][:80]!r}"
            )
            await JSONResponse({"error": message}, 403, _HEADERS)(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent = message["headers"] = list(message.get("headers", ()))
                present = {name.lower() for name, _ in sent}
                sent += [(name, value) for name, value in _RAW_HEADERS if name not in present]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _is_cross_site(method: str, headers: Headers) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None:
        is_link = method in ("GET", "HEAD") and headers.get("sec-fetch-mode") == "navigate"
        return site not in ("same-origin", "none") and not is_link
    # Browsers send sec-fetch-site only to localhost and over HTTPS.
    origin = headers.get("origin")
    return origin is not None and origin.lower().partition("://")[2] != headers.get("host", "").lower()


@functools.lru_cache(256)
def _parsed(name: str) -> str | ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Parses an IP address, or normalises a host name for comparison."""
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
