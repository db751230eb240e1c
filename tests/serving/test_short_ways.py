"""Ways of a request through the server that save time: one write, no thread, no search for a route."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from starlette.responses import PlainTextResponse

from tfvae.serving import scheduler
from tfvae.serving.joined_writes import JoinedWrites
from tfvae.serving.limits import Limits
from tfvae.serving.predict_body import PredictRequest
from tfvae.serving.predict_shortcut import PredictShortcut
from tfvae.serving.refusal import RefusedRequest
from tfvae.serving.scheduler import Scheduler
from tfvae.serving.signature import Signature, TensorInfo


def run_alone(coroutine):
    """A browser of other tests may have left a loop running in this thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


class Transport:
    """Transport that records what is written."""

    def __init__(self):
        self.written, self.is_closed = [], False

    def write(self, data):
        self.written.append(bytes(data))

    def get_write_buffer_size(self):
        return 7

    def close(self):
        self.is_closed = True


def test_head_and_body_are_written_together():
    async def write():
        transport = Transport()
        joined = JoinedWrites(transport)
        joined.write(b"head ")
        assert transport.written == []
        assert joined.get_write_buffer_size() == 12
        joined.write(b"body")
        joined.write(b"")
        joined.write(b"x" * 5000)
        joined.write(b"alone")
        await asyncio.sleep(0)
        joined.write(b"last")
        joined.close()
        await asyncio.sleep(0)
        return transport

    transport = run_alone(write())
    assert b"".join(transport.written) == b"head body" + b"x" * 5000 + b"alone" + b"last"
    assert transport.written[0] == b"head body"
    assert transport.written[-2:] == [b"alone", b"last"]
    assert transport.is_closed


def test_short_computations_run_in_the_event_loop(monkeypatch):
    threads, clock = [], {"now": 0.0, "takes": 0.0}
    monkeypatch.setattr(scheduler, "time", SimpleNamespace(perf_counter=lambda: clock["now"]))

    class Model:
        def run(self, name, inputs):
            threads.append(threading.current_thread().name)
            clock["now"] += clock["takes"]
            return {"mean": inputs["z"]}

    info = TensorInfo(np.dtype("float32"), (None, 1))
    signature = Signature("likelihood", {"z": info}, {"mean": info}, is_by_row=True)

    async def ask(used, rows):
        z = np.ones((rows, 1), "float32")
        outputs = await used.answer(PredictRequest(signature, {"z": z}, True, rows))
        np.testing.assert_array_equal(outputs["mean"], z)

    async def ask_all():
        for batching in (True, False):
            used = Scheduler(Model(), Limits(), batching=batching)
            for rows, clock["takes"] in ((1, 1e-4), (2, 0.05), (2, 1e-4)):
                await ask(used, rows)
            used.close()

    run_alone(ask_all())
    assert [name.startswith("predict") for name in threads] == [True, False, True] * 2


@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        ("POST", "/a:predict", "short"),
        ("GET", "/a:predict", "routed"),
        ("POST", "/a:predict/", "routed"),
        ("POST", "/refused", '{"error":"no"}'),
    ],
)
def test_only_predict_requests_skip_the_routes(method, path, found):
    async def answer(request):
        if request.url.path == "/refused":
            raise RefusedRequest(429, "no")
        return PlainTextResponse("short")

    app = PredictShortcut(PlainTextResponse("routed"), paths=["/a:predict", "/refused"], answer=answer)
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b"", "server": ("a", 1)}
    run_alone(app(scope, None, send))
    assert sent[1]["body"].decode() == found
    assert sent[0]["status"] == (429 if path == "/refused" else 200)
