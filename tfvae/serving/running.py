"""Running an app until it is told to stop."""

import contextlib
import errno
import functools
import gc
import socket
from collections.abc import Callable, Iterator, Sequence

import uvicorn
from starlette.types import ASGIApp

from tfvae.serving.access import AllowedHosts
from tfvae.serving.connections import TimedProtocol, TimedServer

try:
    import resource
except ModuleNotFoundError:  # Windows
    resource = None  # type: ignore[assignment]

_SECONDS_TO_FINISH = 10
_MOST_CONNECTIONS, _MOST_AT_ONCE = 1000, 128


def run_app(
    app: ASGIApp,
    host: str = "127.0.0.1",
    port: int = 8501,
    *,
    allowed_hosts: Sequence[str] = (),
    on_start: Callable[[str], None] = lambda address: None,
) -> None:
    """Serves until SIGINT or SIGTERM; then requests that are being answered have ten seconds to end.

    Requests that ask for the server by a foreign name are refused (`AllowedHosts`).

    Args:
        app: what to serve.
        host: the address to listen on; 127.0.0.1 is for this machine alone, 0.0.0.0 for whoever can reach it.
        port: the port; 0 takes a free one.
        allowed_hosts: names by which the server is asked for, besides localhost and `host`, such as
            "models.example.com" or "*.example.com"; "*" is any name.
        on_start: called with the address, such as "http://127.0.0.1:8501", when requests are taken.

    Raises:
        OSError: where nothing can listen there.
        ValueError: when one of `allowed_hosts` is no name.
    """
    with _listening(host, port) as listener, _without_long_pauses():
        guarded = AllowedHosts(app, host=host, address=listener.getsockname()[0], more=allowed_hosts)
        shown = f"[{host}]" if ":" in host else host
        on_start(f"http://{shown}:{listener.getsockname()[1]}")
        with contextlib.suppress(KeyboardInterrupt):  # raised again by uvicorn once all is shut down
            make_server(guarded).run(sockets=[listener])


def make_server(app: ASGIApp) -> TimedServer:
    """The server of `run_app`."""
    most, at_once = _most_connections()
    config = uvicorn.Config(
        app,
        http=functools.partial(TimedProtocol, most_connections=most),  # type: ignore[arg-type]
        ws="none",
        backlog=at_once,
        log_level="error",  # below that, a line for each odd request
        access_log=False,
        timeout_graceful_shutdown=_SECONDS_TO_FINISH,
        lifespan="on",
    )
    return TimedServer(config)


def _most_connections() -> tuple[int, int]:
    """How many there may be, and how many are taken at once: without descriptors asyncio can only fail and complain.

    Those that are turned away still wait for their end when the next ones come.
    """
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0] if resource is not None else 512
    if descriptors < 0:  # no limit
        return _MOST_CONNECTIONS, _MOST_AT_ONCE
    return max(1, min(_MOST_CONNECTIONS, descriptors // 2)), max(1, min(_MOST_AT_ONCE, descriptors // 32))


@contextlib.contextmanager
def _without_long_pauses() -> Iterator[None]:
    """Garbage collection leaves alone what is loaded by now: TensorFlow, a quarter of a second each time."""
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
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio sends at once on TCP only
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        if listener is not None:
            listener.close()
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            raise OSError(f"Port {port} of {host} is in use already. Choose another one with --port.") from error
        raise OSError(f"Nothing can listen on port {port} of {host}: {error}.") from error
    return listener
