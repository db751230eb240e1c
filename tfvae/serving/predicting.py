"""From a request for `:predict` to its answer: received, read, computed, written."""

import asyncio
import functools
import time
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf
from fastapi import Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect

from tfvae.serving.holding import Holding
from tfvae.serving.limits import Limits
from tfvae.serving.metrics import Metrics
from tfvae.serving.predict_answer import predict_answer
from tfvae.serving.predict_body import PredictRequest, read_predict
from tfvae.serving.receiving import HeldAnswer, is_gzipped, receive_body
from tfvae.serving.refusal import RefusedRequest
from tfvae.serving.scheduler import Outputs, Scheduler
from tfvae.serving.served_model import ServedModel

_NO_SIGNATURE = "none"
# Read and written at once, in two milliseconds; else in a thread, which keeps the others waiting in parts of it only.
_SHORT_BODY, _SHORT_ANSWER = 64 * 2**10, 16_384  # bytes, numbers


class Predictor:
    """Answers requests for a model's signatures; what takes long is done beside the loop that everybody waits for.

    Args:
        model: what computes.
        limits: how much one request may ask for.
        batching: whether waiting requests are joined.

    Attributes:
        metrics: what has been answered.
    """

    def __init__(self, model: ServedModel, limits: Limits, *, batching: bool):
        self.metrics = Metrics(lambda: self._scheduler.num_waiting)
        self._scheduler = Scheduler(model, limits, batching=batching, on_batch=self.metrics.computed)
        self._signatures, self._limits = model.signatures, limits
        self._most_bytes = limits.bytes_of(model.signatures.values())
        self._holding = Holding(limits.held_bytes)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="json")

    async def answer(self, request: Request) -> Response:
        """The answer to a request.

        Raises:
            RefusedRequest: for a mistake in it.
        """
        start, signature, code = time.perf_counter(), _NO_SIGNATURE, 500
        try:
            with self._holding.part() as held:
                gzipped = is_gzipped(request)
                asked = await self._read(await receive_body(request, self._most_bytes, held), gzipped=gzipped)
            signature = asked.signature.name
            content = await self._written(asked, await self._scheduler.answer(asked))
            answer = HeldAnswer(content, self._holding.part())
            code = 200
            return answer
        except RefusedRequest as refusal:
            code = refusal.status
            raise
        except tf.errors.OpError as error:
            code = 400
            raise RefusedRequest(400, str(error.message).splitlines()[0]) from error
        except asyncio.CancelledError as error:  # the seconds that requests have to end are over
            code = 503
            raise RefusedRequest(503, "The server ends before this is computed.") from error
        except ClientDisconnect:
            code = 400
            return Response(status_code=400)
        finally:
            self.metrics.answered(signature, code, time.perf_counter() - start)

    def refused(self, code: int) -> None:
        """Counts a request that asked for another model."""
        self.metrics.answered(_NO_SIGNATURE, code, 0.0)

    def close(self) -> None:
        """Lets nothing new begin."""
        self._scheduler.close()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _read(self, body: bytearray, *, gzipped: bool) -> PredictRequest:
        read = functools.partial(read_predict, body, self._signatures, self._limits, self._most_bytes, gzipped=gzipped)
        if len(body) <= _SHORT_BODY and not gzipped:
            return read()
        return await asyncio.get_running_loop().run_in_executor(self._thread, read)

    async def _written(self, asked: PredictRequest, outputs: Outputs) -> bytes:
        if sum(value.size for value in outputs.values()) <= _SHORT_ANSWER:
            return predict_answer(asked, outputs)
        return await asyncio.get_running_loop().run_in_executor(self._thread, predict_answer, asked, outputs)
