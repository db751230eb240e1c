"""Running an app until it receives a signal to stop."""

import contextlib
import errno
import functools
import gc
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from tfvae.serving.access import AllowedHosts
from tfvae.serving.connections import TimedProtocol, TimedServer

try:
    import resource
except ModuleNotFoundError:  # Windows
    resource = None  # type: ignore[assignment]

_SECONDS_TO_FINISH = 10
_MAX_CONNECTIONS, _MAX_BACKLOG = 1000, 128


def run_app(
    app: ASGIApp,
    host: str = "127.0.0.1",
    port: int = 8501,
    *,
    allowed_hosts: Sequence[str] = (),
    on_start: Callable[[str], None] = lambda address: None,
    required: Future[Any] | None = None,
) -> None:
    """Serves until SIGINT or SIGTERM. Running requests then have ten seconds to finish.

    Requests with an unknown host name are refused (`AllowedHosts`).

    Args:
        app: App to serve.
        host: Address to listen on. 127.0.0.1 is reachable from this machine only, 0.0.0.0 from all others too.
        port: Port to listen on. 0 chooses a free port.
        allowed_hosts: Host names that requests may use, besides localhost and `host`, such as "models.example.com" or
            "*.example.com". "*" allows any name.
        on_start: Function called with the address, such as "http://127.0.0.1:8501", when the server is ready.
        required: Something that is still computed, without which the app is of no use. If it ends in an error, the
            server stops.

    Raises:
        OSError: If the server cannot listen on this address and port.
        ValueError: If an element of `allowed_hosts` is not a host name.
    """
    with _listening(host, port) as listener, _without_long_pauses():
        guarded = AllowedHosts(app, host=host, address=listener.getsockname()[0], more=allowed_hosts)
        shown = f"[{host}]" if ":" in host else host
        on_start(f"http://{shown}:{listener.getsockname()[1]}")
        server = make_server(guarded)
        if required is not None:
            required.add_done_callback(functools.partial(_stop_on_error, server))
        with contextlib.suppress(KeyboardInterrupt):  # raised again by uvicorn after the shutdown
            server.run(sockets=[listener])


def _stop_on_error(server: TimedServer, required: Future[Any]) -> None:
    if required.exception() is not None:
        server.should_exit = True


def make_server(app: ASGIApp) -> TimedServer:
    """Creates the server of `run_app`."""
    max_connections, backlog = _connection_limits()
    config = uvicorn.Config(
        app,
        http=functools.partial(TimedProtocol, max_connections=max_connections),  # type: ignore[arg-type]
        ws="none",
        backlog=backlog,
        log_level="error",  # lower levels print a line for each malformed request
        access_log=False,
        timeout_graceful_shutdown=_SECONDS_TO_FINISH,
        lifespan="on",
    )
    return TimedServer(config)


def _connection_limits() -> tuple[int, int]:
    """Returns the maximum number of connections and of those accepted at once, so that file descriptors suffice.

    asyncio only logs errors if there are no descriptors left. Refused connections need one until they are closed.
    """
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0] if resource is not None else 512
    if descriptors < 0:  # no limit
        return _MAX_CONNECTIONS, _MAX_BACKLOG
    return max(1, min(_MAX_CONNECTIONS, descriptors // 2)), max(1, min(_MAX_BACKLOG, descriptors // 32))


@contextlib.contextmanager
def _without_long_pauses() -> Iterator[None]:
    """Excludes loaded modules from garbage collection. Scanning TensorFlow takes a quarter of a second each time."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _listening(host: str, port: int) -> socket.socket:
    listener: socket.socket | None = None
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(
            family, socket.SOCK_STREAM, socket.IPPROTO_TCP
        )  # asyncio sends without delay on TCP only
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        if listener is not None:
            listener.close()
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise OSError(f"Port {port} of {host} is already in use. Choose another one with --port.") from error
        raise OSError(f"The server cannot listen on port {port} of {host}: {error}.") from error
    return listener
