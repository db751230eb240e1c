"""Whose turn it is: requests are computed in threads, and those that can be are joined while they wait."""

import asyncio
import collections
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tfvae.serving.limits import Limits
from tfvae.serving.predict_body import PredictRequest
from tfvae.serving.refusal import RefusedRequest
from tfvae.serving.served_model import ServedModel

Outputs = Mapping[str, np.ndarray]

_THREADS = 2
_LONG_PART = 4  # of those that may wait


class Scheduler:
    """Computes answers, a few at a time.

    Requests of a signature that answers each example for itself (`Signature.is_by_row`) are joined along the batch
    axis: nobody waits for others to come, but who comes while a computation runs goes into the next one. Their answers
    are those of each alone, to the rounding of larger matrix products.

    Of long requests, such as `elbo` with many draws, one is computed at a time: another thread is there for the rest.

    Args:
        model: what computes.
        limits: how many may wait, how many examples are computed at once, and which requests are long.
        batching: whether requests are joined.
        on_batch: called with the number of examples of each computation.
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
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="predict")
        self._free, self._free_for_long = asyncio.Semaphore(_THREADS), asyncio.Semaphore(_THREADS - 1)
        self._waiting: dict[str, collections.deque[tuple[PredictRequest, asyncio.Future[Outputs]]]] = {}
        self._working: dict[str, asyncio.Task[None]] = {}
        self.num_waiting = self._num_long_waiting = 0

    async def answer(self, request: PredictRequest) -> Outputs:
        """The outputs for a request.

        Raises:
            RefusedRequest: with status 429 when too many are waiting.
        """
        if self.num_waiting >= self._limits.waiting:
            raise RefusedRequest(429, f"{self.num_waiting} requests are waiting already. Try again in a moment.")
        is_long = request.num_draws >= self._limits.long_draws
        if is_long and self._num_long_waiting >= max(1, self._limits.waiting // _LONG_PART):
            raise RefusedRequest(429, f"{self._num_long_waiting} long requests are waiting already. Try again later.")
        self.num_waiting += 1
        self._num_long_waiting += is_long
        try:
            if is_long:
                async with self._free_for_long:
                    return await self._compute(request.signature.name, request.inputs, request.num_rows)
            if not (self._batching and request.signature.is_by_row):
                return await self._compute(request.signature.name, request.inputs, request.num_rows)
            future: asyncio.Future[Outputs] = asyncio.get_running_loop().create_future()
            name = request.signature.name
            self._waiting.setdefault(name, collections.deque()).append((request, future))
            if name not in self._working:
                self._working[name] = asyncio.create_task(self._work(name))
            return await future
        finally:
            self.num_waiting -= 1
            self._num_long_waiting -= is_long

    def close(self) -> None:
        """Lets no new computation begin."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _work(self, name: str) -> None:
        """Computes what waits for a signature, until nothing does."""
        waiting = self._waiting[name]
        while waiting:
            joined = [waiting.popleft()]
            rows = joined[0][0].num_rows
            while waiting and rows + waiting[0][0].num_rows <= self._limits.batch_rows:
                joined.append(waiting.popleft())
                rows += joined[-1][0].num_rows
            joined = [(request, future) for request, future in joined if not future.done()]  # who has gone meanwhile
            if not joined:
                continue
            requests = [request for request, _ in joined]
            inputs = {key: np.concatenate([request.inputs[key] for request in requests]) for key in requests[0].inputs}
            try:
                outputs = await self._compute(name, inputs, rows)
            except Exception as error:
                for _, future in joined:
                    if not future.done():
                        future.set_exception(error)
                continue
            start = 0
            for request, future in joined:
                end = start + request.num_rows
                if not future.done():
                    future.set_result({key: value[start:end] for key, value in outputs.items()})
                start = end
        del self._working[name]

    async def _compute(self, name: str, inputs: Mapping[str, np.ndarray], rows: int) -> Outputs:
        async with self._free:
            self._on_batch(rows)
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._model.run, name, inputs)
