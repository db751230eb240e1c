"""Training step in one process."""

import contextlib
from collections.abc import Sequence
from typing import Any

from tfvae._bijector_cache import released_graph
from tfvae.models._metrics import Reported, reported_by
from tfvae.models.objective import Loss
from tfvae.typing import Tensor


class InOneProcess:
    """Step in one process. `OnReplica` has the same interface for `train_step` and `test_step`.

    Args:
        model: The model.
        data: A batch, as Keras passes it to a step.
        training: Whether the step trains.

    Attributes:
        batch: Batch for the objective.
    """

    def __init__(self, model: Any, data: Any, *, training: bool):
        self._model = model
        self.batch = model.batch_of(data)
        batches = model.execution.batches
        self._is_checked = training and batches is not None and batches.is_checked
        self._reported: list[Reported] = []

    noise = staticmethod(contextlib.nullcontext)  # there is one stream of random numbers
    tracing = staticmethod(released_graph)

    def add(self, loss: Loss, metric: str | None = None, variables: Sequence[Any] = ()) -> Tensor:
        """Returns the mean loss of an update over the batch, and records it for the report.

        Args:
            loss: The loss per example and its terms.
            metric: Name of the metric for the mean loss. None if the loss is not reported.
            variables: The variables that the update trains.
        """
        mean = self._model.loss_of(loss.values, self.batch.sample_weight, variables)
        self._reported += reported_by(loss, mean, metric)
        return mean

    def mean_gradients(self, gradients: Sequence[Any], *, is_last: bool) -> Sequence[Any]:
        """Returns the gradients of the mean loss over the whole batch."""
        return gradients

    def report(self) -> dict[str, Tensor]:
        """Adds the step to the running means and returns them."""
        is_outside = None if self._is_checked else self._model.is_outside(self.batch.x)
        return self._model.running_means.update(self._reported, self.batch, is_outside)
