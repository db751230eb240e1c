"""Objectives: the list of updates of a training step."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import keras

from tfvae._serialization import register
from tfvae.estimators import Estimate, Weighted
from tfvae.models.batch import Batch
from tfvae.typing import Seed, Tensor


class Loss(NamedTuple):
    """Loss of an update and the terms that it reports, per example.

    Attributes:
        values: Loss `[B]`. The step minimises its mean over examples, weighted by the sample weights.
        terms: Quantities `[B]` to report as metrics, by name. `Weighted` quantities have weights of their own.
    """

    values: Tensor
    terms: Mapping[str, Tensor | Weighted] = {}

    @classmethod
    def of_estimate(cls, estimate: Estimate) -> "Loss":
        """Returns the surrogate loss of an estimate, with its bound and terms to report."""
        reported = {"elbo": estimate.bound, "log_likelihood": estimate.log_likelihood, "kl": estimate.kl}
        return cls(estimate.surrogate_loss, {**reported, **estimate.terms})


class Update(NamedTuple):
    """One gradient step of some variables, or a change of state without a gradient.

    Attributes:
        name: Key of its variables in `Objective.variables`, and of its optimizer in `compile(optimizer={...})`. An
            update without variables needs no optimizer.
        loss: Function without arguments that computes the loss. It runs after the previous updates are applied.
    """

    name: str
    loss: Callable[[], Loss]


def metric_name(update: str, variables: Mapping[str, Any]) -> str | None:
    """Returns the name of the metric for the loss of an update. None for an update that trains no variables.

    Args:
        update: Name of the update.
        variables: Result of `Objective.variables`. The first entry is that of the model.
    """
    if update not in variables:
        return None
    return "loss" if update == next(iter(variables)) else f"{update}_loss"


class Objective(Protocol):
    """Protocol of `objective` in `VAE(..., objective=...)`: the ordered updates of a training step.

    The layers of an objective, such as a discriminator, are trained and saved with the model. To save the model,
    register the class of its objective with Keras and define its `get_config`.

    Attributes:
        layers: Layers that belong to the objective.
        metric_names: Names of the terms that its updates report. Terms with other names become metrics when they are
            first reported.
    """

    @property
    def layers(self) -> Sequence[keras.layers.Layer]:
        """Layers that belong to the objective."""
        ...

    @property
    def metric_names(self) -> Sequence[str]:
        """Names of the terms that its updates report."""
        ...

    def build(self, x_shape: tuple[int | None, ...], latent_shape: Any) -> None:
        """Builds its layers.

        Args:
            x_shape: Shape of a batch of data, `(None, *event)`.
            latent_shape: Shape of one z, without the batch axis. For a z of several parts, a nest of shapes.
        """
        ...

    def variables(self, model: Any) -> Mapping[str, Sequence[Any]]:
        """Returns the trainable variables of each update by its name, in the order of its optimizer.

        The loss of the first update is the metric `loss`, that of another update `<name>_loss`.
        """
        ...

    def updates(self, model: Any, batch: Batch, *, training: bool, seed: Seed) -> Sequence[Update]:
        """Returns the updates of one step.

        Args:
            model: Model to train, with `infer`, `generate`, `prior` and `estimate`.
            batch: Batch in the dtype of the model.
            training: Whether variables are updated. In evaluation it is False, and only the losses are computed.
            seed: An int32 tensor `[2]`.
        """
        ...


@register
class Bound:
    """Maximises the bound of the estimator with one update of all variables. The default objective of a `VAE`."""

    layers: tuple[keras.layers.Layer, ...] = ()
    metric_names = ("elbo", "log_likelihood", "kl")

    def build(self, x_shape: tuple[int | None, ...], latent_shape: Any) -> None:
        """Builds nothing, because the layers of the estimator belong to the model."""

    def variables(self, model: Any) -> Mapping[str, Sequence[Any]]:
        """See `Objective`."""
        return {"model": model.network_variables}

    def updates(self, model: Any, batch: Batch, *, training: bool, seed: Seed) -> Sequence[Update]:
        """See `Objective`."""
        return [Update("model", lambda: Loss.of_estimate(model.estimate(batch, training=training, seed=seed)))]

    def get_config(self) -> dict[str, Any]:
        """Returns an empty dictionary, because there are no arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Bound":
        """Creates the objective from the result of `get_config`."""
        return cls(**config)
