"""Slow clients and very many of them, over HTTP."""

import asyncio
import contextlib
import http.client
import select
import socket
import threading
import time

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import Response

from tfvae.serving import connections, receiving, running
from tfvae.serving.byte_budget import ByteBudget
from tfvae.serving.refusal import RefusedRequest, answer_refusal

MEBIBYTES = 2**20
HEAD = b"POST /length HTTP/1.1\r\nHost: host\r\nContent-Length: 10\r\n\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: host\r\n\r\n"


def make_app():
    app, budget = FastAPI(openapi_url=None), ByteBudget(MEBIBYTES)
    app.add_exception_handler(RefusedRequest, answer_refusal)

    @app.get("/healthz")
    async def health():
        return budget.num_bytes

    @app.get("/long")
    async def long():
        return Response(bytes(64 * MEBIBYTES))

    @app.post("/length")
    async def length(request: Request):
        with budget.reserve() as reservation:
            return len(await receiving.receive_body(request, 2 * MEBIBYTES, reservation))

    return app


@contextlib.contextmanager
def serving():
    """The server in a thread, and how to connect to it."""
    server = running.make_server(make_app())
    with running._listening("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=asyncio.run, args=(server.serve(sockets=[listener]),))
        thread.start()
        try:
            yield server, lambda: socket.create_connection(listener.getsockname(), timeout=20)
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def connect():
    with serving() as (_, connect):
        yield connect


@pytest.fixture
def hurry(monkeypatch, connect):
    """Clients have half a second, the connections a quarter more."""
    monkeypatch.setattr(receiving, "SECONDS_FOR_CLIENTS", 0.5)
    monkeypatch.setattr(connections, "SECONDS_FOR_CLIENTS", 0.5)
    monkeypatch.setattr(connections, "_GRACE_SECONDS", 0.25)
    monkeypatch.setattr(connections, "_TICKS", 1)
    return connect


def ask(connection, request):
    """The status and the body of an answer; nothing where the server has ended the connection."""
    try:
        connection.sendall(request)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.read()
    except (ConnectionError, http.client.BadStatusLine):
        return None


def send_slowly(connection, sent):
    """A byte at a time until the server says or does something."""
    for byte in sent:
        connection.sendall(bytes([byte]))
        if select.select([connection], [], [], 0.05)[0]:
            return
    pytest.fail("the server has waited for all of it")


def test_head_that_does_not_come_ends_the_connection(hurry):
    with hurry() as silent, hurry() as slow:
        send_slowly(slow, HEALTH[:-4].ljust(100, b"x"))
        assert ask(slow, b"") is None
        assert ask(silent, b"") is None


def test_body_that_does_not_come_is_told_so(hurry):
    with hurry() as slow, hurry() as other:
        slow.sendall(HEAD.replace(b"10", b"100"))
        send_slowly(slow, 100 * b"x")
        assert ask(slow, b"") == (408, b'{"error":"The body was not received within 0.5 seconds."}')
        assert ask(slow, b"") is None
        assert ask(other, HEALTH) == (200, b"0")  # nothing is held for it any more


@pytest.mark.parametrize("chunked", [False, True])
def test_clients_that_send_all_before_they_read_are_told(connect, chunked):
    body, told = bytes(16 * MEBIBYTES), (413, b"It has more")
    head = HEAD.replace(b"10", b"%d" % len(body))
    if chunked:  # so that it is too much to hold before it is too long
        head, told = HEAD.replace(b"Content-Length: 10", b"Transfer-Encoding: chunked"), (429, b"Try again")
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    with connect() as client:
        status, answer = ask(client, head + body)
        assert (status, told[1] in answer) == (told[0], True)
        assert ask(client, HEALTH) == (200, b"0")


def test_clients_that_ask_whether_to_send_are_told_at_once(connect):
    head = HEAD.replace(b"10", b"%d" % (16 * MEBIBYTES)).replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
    with connect() as client:
        assert ask(client, head)[0] == 413


def test_answer_that_is_not_taken_ends_the_connection(hurry):
    with hurry() as slow:
        slow.sendall(HEALTH.replace(b"healthz", b"long"))
        time.sleep(1.5)
        taken = 0
        with contextlib.suppress(ConnectionError):
            while part := slow.recv(MEBIBYTES):
                taken += len(part)
        assert taken < 64 * MEBIBYTES


@pytest.mark.slow
def test_connection_that_is_used_may_stay(hurry):
    with hurry() as connection:
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            connection.sendall(HEAD[:30])
            time.sleep(0.1)
            assert ask(connection, HEAD[30:] + 10 * b"x") == (200, b"10")


def test_one_client_too_many_is_told_so_and_the_log_stays_empty(monkeypatch, capfd):
    monkeypatch.setattr(running, "_MAX_CONNECTIONS", 10)
    with serving() as (server, connect), contextlib.ExitStack() as stack:
        held = [stack.enter_context(connect()) for _ in range(10)]
        assert all(ask(connection, HEALTH) == (200, b"0") for connection in held)
        for _ in range(30):
            with connect() as another:
                status, answer = ask(another, b"")
                assert (status, b"too many connections" in answer) == (503, True)
        assert len(server.server_state.connections) <= 11
        held.pop().close()
        time.sleep(0.2)
        with connect() as another:
            assert ask(another, HEALTH) == (200, b"0")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("descriptors", "most"), [(-1, (1000, 128)), (1024, (512, 32)), (65_536, (1000, 128)), (16, (8, 1))]
)
def test_connections_leave_descriptors_for_files(monkeypatch, descriptors, most):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda which: (descriptors, descriptors))
    assert running._connection_limits() == most


def test_bodies_held_are_bounded(connect):
    """Of two that together are too long the second is refused while the first is on its way."""
    head, half = HEAD.replace(b"10", b"1000000"), bytes(700_000)
    with connect() as one, connect() as two:
        one.sendall(head + half)
        time.sleep(0.3)
        assert ask(two, head + bytes(1_000_000))[0] == 429
        assert ask(one, bytes(300_000)) == (200, b"1000000")
