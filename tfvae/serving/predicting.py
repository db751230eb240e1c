"""Handling of `:predict` requests: receiving, parsing, computing and writing the response."""

import asyncio
import functools
import time
from concurrent.futures import ThreadPoolExecutor

from fastapi import Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect

from tfvae._tf_library import TensorFlowError
from tfvae.serving.byte_budget import ByteBudget
from tfvae.serving.limits import Limits
from tfvae.serving.metrics import Metrics
from tfvae.serving.predict_body import PredictRequest, read_predict
from tfvae.serving.predict_response import predict_response
from tfvae.serving.receiving import BudgetedResponse, is_gzipped, receive_body
from tfvae.serving.refusal import RefusedRequest
from tfvae.serving.scheduler import Outputs, Scheduler
from tfvae.serving.served_model import ServedModel

_NO_SIGNATURE = "none"
# Handled in the event loop, which takes two milliseconds. Longer ones go to a thread, so that other requests can run.
_SHORT_BODY, _SHORT_RESPONSE = 64 * 2**10, 16_384  # bytes, numbers


class Predictor:
    """Handles requests for the signatures of a model. Slow work is done outside the event loop.

    Args:
        model: Model that computes the outputs.
        limits: Limits on the size of a request.
        batching: Whether to batch waiting requests.

    Attributes:
        metrics: Metrics of the handled requests.
    """

    def __init__(self, model: ServedModel, limits: Limits, *, batching: bool):
        self.metrics = Metrics(lambda: self._scheduler.num_waiting)
        self._scheduler = Scheduler(model, limits, batching=batching, on_batch=self.metrics.record_batch)
        self._signatures, self._limits = model.signatures, limits
        self._max_bytes = limits.bytes_of(model.signatures.values())
        self._byte_budget = ByteBudget(limits.held_bytes)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="json")

    async def answer(self, request: Request) -> Response:
        """Returns the response to a request.

        Raises:
            RefusedRequest: If the request is not valid or cannot be handled now.
        """
        start, signature, code = time.perf_counter(), _NO_SIGNATURE, 500
        try:
            with self._byte_budget.reserve() as reservation:
                gzipped = is_gzipped(request)
                parsed = await self._read(await receive_body(request, self._max_bytes, reservation), gzipped=gzipped)
            signature = parsed.signature.name
            content = await self._write(parsed, await self._scheduler.answer(parsed))
            response = BudgetedResponse(content, self._byte_budget.reserve())
            code = 200
            return response
        except RefusedRequest as refusal:
            code = refusal.status
            raise
        except TensorFlowError as error:
            code = 400
            raise RefusedRequest(400, str(error).splitlines()[0]) from error
        except asyncio.CancelledError as error:  # the time for finishing requests at shutdown is over
            code = 503
            raise RefusedRequest(503, "The server is shutting down before this request is finished.") from error
        except ClientDisconnect:
            code = 400
            return Response(status_code=400)
        finally:
            self.metrics.record_request(signature, code, time.perf_counter() - start)

    def record_refusal(self, code: int) -> None:
        """Records a request for an unknown model."""
        self.metrics.record_request(_NO_SIGNATURE, code, 0.0)

    def close(self) -> None:
        """Stops starting new work."""
        self._scheduler.close()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _read(self, body: bytearray, *, gzipped: bool) -> PredictRequest:
        read = functools.partial(read_predict, body, self._signatures, self._limits, self._max_bytes, gzipped=gzipped)
        if len(body) <= _SHORT_BODY and not gzipped:
            return read()
        return await asyncio.get_running_loop().run_in_executor(self._thread, read)

    async def _write(self, parsed: PredictRequest, outputs: Outputs) -> bytes:
        if sum(value.size for value in outputs.values()) <= _SHORT_RESPONSE:
            return predict_response(parsed, outputs)
        return await asyncio.get_running_loop().run_in_executor(self._thread, predict_response, parsed, outputs)
