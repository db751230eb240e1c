"""What a training step minimises: a list of updates."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import keras

from tfvae._serialization import register
from tfvae.estimators import Estimate
from tfvae.models.batch import Batch
from tfvae.typing import Seed, Tensor


class Loss(NamedTuple):
    """What an update minimises, and what it reports, for each example.

    Attributes:
        values: The loss `[B]`; the step minimises its mean over examples, weighted by their sample weights.
        terms: Quantities `[B]` to report as metrics, by name.
    """

    values: Tensor
    terms: Mapping[str, Tensor] = {}

    @classmethod
    def of_estimate(cls, estimate: Estimate) -> "Loss":
        """Returns the surrogate loss of an estimate, which reports its bound and terms."""
        reported = {"elbo": estimate.bound, "log_likelihood": estimate.log_likelihood, "kl": estimate.kl}
        return cls(estimate.surrogate_loss, {**reported, **estimate.terms})


class Update(NamedTuple):
    """One update of some variables by gradient descent, or a move without a gradient.

    Attributes:
        name: The key of its variables in `Objective.variables`, and of its optimizer in `compile(optimizer={...})`. An
            update without variables needs no optimizer.
        loss: Function without arguments that computes the loss. It runs when the updates before are made.
    """

    name: str
    loss: Callable[[], Loss]


def metric_name(update: str, variables: Mapping[str, Any]) -> str | None:
    """Returns the name under which the loss of an update is reported; None for one that trains no variables.

    Args:
        update: The name of the update.
        variables: Those of `Objective.variables`, of which the first are the model's.
    """
    if update not in variables:
        return None
    return "loss" if update == next(iter(variables)) else f"{update}_loss"


class Objective(Protocol):
    """What a model minimises, for `VAE(..., objective=...)`: the updates that a training step makes, in their order.

    Layers of its own, such as a discriminator, are trained and saved with the model. To save the model, register the
    class of its objective with Keras and give it `get_config`.

    Attributes:
        layers: Layers of its own.
        metric_names: Names of the terms that its updates report. Terms of other names become metrics when they are met.
    """

    @property
    def layers(self) -> Sequence[keras.layers.Layer]:
        """Layers of its own."""
        ...

    @property
    def metric_names(self) -> Sequence[str]:
        """Names of the terms that its updates report."""
        ...

    def build(self, x_shape: tuple[int | None, ...], latent_shape: Any) -> None:
        """Builds its layers.

        Args:
            x_shape: The shape of a batch of data, `(None, *event)`.
            latent_shape: The shape of one z, without the batch axis; of several parts, a nest of shapes.
        """
        ...

    def variables(self, model: Any) -> Mapping[str, Sequence[Any]]:
        """Returns the trainable variables of each kind of update, by its name, in its optimizer's order.

        The loss of the first is reported as the metric `loss`, of another as `<name>_loss`.
        """
        ...

    def updates(self, model: Any, batch: Batch, *, training: bool, seed: Seed) -> Sequence[Update]:
        """Returns the updates of one step.

        Args:
            model: The model that is trained: `infer`, `generate`, `prior`, `estimate`.
            batch: The batch, in the model's dtype.
            training: Whether variables are updated; False in evaluation, where only the losses are computed.
            seed: An int32 tensor `[2]`.
        """
        ...


@register
class Bound:
    """Maximises the bound of the model's estimator: one update of all variables. The objective of every `VAE`."""

    layers: tuple[keras.layers.Layer, ...] = ()
    metric_names = ("elbo", "log_likelihood", "kl")

    def build(self, x_shape: tuple[int | None, ...], latent_shape: Any) -> None:
        """Has nothing to build: the estimator's layers are the model's."""

    def variables(self, model: Any) -> Mapping[str, Sequence[Any]]:
        """See `Objective`."""
        return {"model": model.network_variables}

    def updates(self, model: Any, batch: Batch, *, training: bool, seed: Seed) -> Sequence[Update]:
        """See `Objective`."""
        return [Update("model", lambda: Loss.of_estimate(model.estimate(batch, training=training, seed=seed)))]

    def get_config(self) -> dict[str, Any]:
        """Has no arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Bound":
        """Returns the objective that `get_config` described."""
        return cls(**config)
