"""Scheduling of requests: they are computed in threads and batched while they wait."""

import asyncio
import collections
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tfvae.serving.limits import Limits
from tfvae.serving.predict_body import PredictRequest
from tfvae.serving.refusal import RefusedRequest
from tfvae.serving.served_model import ServedModel

Outputs = Mapping[str, np.ndarray]

_NUM_THREADS = 2
_LONG_FRACTION = 4  # one waiting request in four may be a long one
# Shorter computations run in the event loop. Other work there takes as long.
_SHORT_SECONDS = 0.002


class Scheduler:
    """Computes the outputs of requests, a few at a time.

    Requests for a signature that handles each example independently (`Signature.is_by_row`) are concatenated along the
    batch axis. No request waits for others to arrive, but those that arrive during a computation form the next batch.
    The outputs are the same as for single requests up to the rounding of larger matrix products.

    A computation runs in the event loop if it is expected to be short, by the time per example of the last one, else in
    a thread.

    Only one long request, such as `elbo` with many samples, runs at a time, so that a thread is left for the others.

    Args:
        model: Model that computes the outputs.
        limits: Limits on waiting requests and batch size, and the size from which a request is long.
        batching: Whether to batch waiting requests.
        on_batch: Function called with the number of examples of each computation.
    """

    def __init__(
        self,
        model: ServedModel,
        limits: Limits,
        *,
        batching: bool = True,
        on_batch: Callable[[int], None] | None = None,
    ):
        self._model, self._limits, self._batching = model, limits, batching
        self._on_batch = on_batch or (lambda rows: None)
        self._threads = ThreadPoolExecutor(_NUM_THREADS, thread_name_prefix="predict")
        self._free, self._free_for_long = asyncio.Semaphore(_NUM_THREADS), asyncio.Semaphore(_NUM_THREADS - 1)
        self._short_rows: dict[str, int] = {}  # number of examples that take a short time, by signature
        self._waiting: dict[str, collections.deque[tuple[PredictRequest, asyncio.Future[Outputs]]]] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self.num_waiting = self._num_long_waiting = 0

    async def answer(self, request: PredictRequest) -> Outputs:
        """Computes the outputs of a request.

        Raises:
            RefusedRequest: If too many requests are waiting, with status 429.
        """
        if self.num_waiting >= self._limits.waiting:
            raise RefusedRequest(429, f"{self.num_waiting} requests are already waiting. Try again in a moment.")
        is_long = request.num_draws >= self._limits.long_draws
        if is_long and self._num_long_waiting >= max(1, self._limits.waiting // _LONG_FRACTION):
            raise RefusedRequest(429, f"{self._num_long_waiting} long requests are already waiting. Try again later.")
        self.num_waiting += 1
        self._num_long_waiting += is_long
        try:
            if is_long:
                async with self._free_for_long:
                    return await self._compute(request.signature.name, request.inputs, request.num_rows)
            if not request.signature.is_by_row:
                return await self._compute(request.signature.name, request.inputs, request.num_rows)
            if not self._batching:
                return await self._compute_by_row(request.signature.name, request.inputs, request.num_rows)
            future: asyncio.Future[Outputs] = asyncio.get_running_loop().create_future()
            name = request.signature.name
            self._waiting.setdefault(name, collections.deque()).append((request, future))
            if name not in self._workers:
                self._workers[name] = asyncio.create_task(self._work(name))
            return await future
        finally:
            self.num_waiting -= 1
            self._num_long_waiting -= is_long

    def close(self) -> None:
        """Stops starting new computations."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _work(self, name: str) -> None:
        """Computes batches of waiting requests for a signature until none is left."""
        waiting = self._waiting[name]
        while waiting:
            batch = [waiting.popleft()]
            rows = batch[0][0].num_rows
            while waiting and rows + waiting[0][0].num_rows <= self._limits.batch_rows:
                batch.append(waiting.popleft())
                rows += batch[-1][0].num_rows
            batch = [
                (request, future) for request, future in batch if not future.done()
            ]  # the client may have disconnected
            if not batch:
                continue
            requests = [request for request, _ in batch]
            inputs = requests[0].inputs
            if len(requests) > 1:
                inputs = {key: np.concatenate([request.inputs[key] for request in requests]) for key in inputs}
            try:
                outputs = await self._compute_by_row(name, inputs, rows)
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            start = 0
            for request, future in batch:
                end = start + request.num_rows
                if not future.done():
                    future.set_result({key: value[start:end] for key, value in outputs.items()})
                start = end
        del self._workers[name]

    async def _compute_by_row(self, name: str, inputs: Mapping[str, np.ndarray], rows: int) -> Outputs:
        """Computes a signature whose duration depends on the number of examples only."""
        if rows > self._short_rows.get(name, 0):
            return await self._compute(name, inputs, rows)
        self._on_batch(rows)
        outputs = self._run(name, inputs, rows)
        await asyncio.sleep(0)  # lets other requests in
        return outputs

    async def _compute(self, name: str, inputs: Mapping[str, np.ndarray], rows: int) -> Outputs:
        async with self._free:
            self._on_batch(rows)
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, name, inputs, rows)

    def _run(self, name: str, inputs: Mapping[str, np.ndarray], rows: int) -> Outputs:
        start = time.perf_counter()
        outputs = self._model.run(name, inputs)
        self._short_rows[name] = int(rows * _SHORT_SECONDS / (time.perf_counter() - start))
        return outputs
