"""The protocols of estimators."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import keras

from tfvae.estimators.estimate import Estimate
from tfvae.estimators.problem import Problem
from tfvae.typing import Seed, Tensor


class Estimator(Protocol):
    """A pure function of a `Problem`, without weights of its own; its only randomness is its seed.

    An estimator does not look inside the latents: it passes z from the posterior to the prior and to `generate`. One
    that ignores `problem.observed` calls `problem.require_unobserved()`, unless it draws z by `draw` or `elbo_terms`,
    which do so.

    An estimator with weights that train with the model is also an `EstimatorWithLayers`, and one that keeps a state
    between training steps an `EstimatorWithUpdate`.
    """

    def __call__(self, problem: Problem, *, beta: Tensor | float = 1.0, seed: Seed = None) -> Estimate:
        """Estimates the bound.

        Args:
            problem: The batch and its distributions.
            beta: The weight of the KL in the surrogate.
            seed: An int or an int32 tensor `[2]`.
        """
        ...

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments as JSON values."""
        ...


@runtime_checkable
class EstimatorWithLayers(Protocol):
    """An estimator with weights that train with the model and are saved with it, such as those of a baseline.

    The model builds the layers by calling them with x, unless the estimator is also an `EstimatorWithBuild`.
    """

    @property
    def layers(self) -> Sequence[keras.layers.Layer]:
        """The layers that have the weights."""
        ...


@runtime_checkable
class EstimatorWithBuild(EstimatorWithLayers, Protocol):
    """An estimator that builds its own layers, because they are not functions of x."""

    def build(self, x_shape: tuple[int | None, ...], latent_shape: Any) -> None:
        """Builds its layers. Called once, when the model is built.

        Args:
            x_shape: Shape of a batch of data, `(None, *event)`.
            latent_shape: Shape of one z, without the batch axis. For a z of several parts, a nest of shapes.
        """
        ...


@runtime_checkable
class EstimatorWithProposal(Protocol):
    """An estimator whose draws have another distribution than q(z|x), such as one that moves them."""

    def with_proposal(self, problem: Problem, *, chunk_size: Tensor | int | None = None) -> Problem:
        """Returns a problem whose posterior is the distribution of these draws, for estimates of log p(x).

        Its latents may have more elements than z. E[p(x|u) p(u) / q(u|x)] = p(x) must be true for draws u of its
        posterior.

        Args:
            problem: The batch, with q(z|x).
            chunk_size: Number of draws per example that are computed at a time, for evaluations without a gradient.
                None computes all at once.
        """
        ...


@runtime_checkable
class EstimatorWithUpdate(Protocol):
    """An estimator that is updated in each training step, such as one that keeps a running mean."""

    def update(self, estimate: Estimate, *, beta: Tensor | float = 1.0) -> None:
        """Updates the estimator's state; called once per training step.

        Args:
            estimate: The estimator's own result in this step.
            beta: The weight of the KL in this step.
        """
        ...


@runtime_checkable
class EstimatorOfLabels(Protocol):
    """An estimator for a z with a part y, a class or numbers, that is known for some examples."""

    @property
    def label(self) -> str:
        """The name of the part y."""
        ...

    @property
    def has_classes(self) -> bool:
        """Whether y is one of several classes, rather than numbers."""
        ...

    def observe(self, problem: Problem, labels: Tensor) -> Problem:
        """Returns the problem with labels as observed latents.

        Classes are integers `[B]` with -1 where unknown, numbers `[B]` or `[B, D]` have NaN where unknown.
        """
        ...


def require_estimator(estimator: Any) -> Estimator:
    """Returns the argument if it is an estimator.

    Raises:
        TypeError: If it is a name, or a class instead of an object.
    """
    if isinstance(estimator, type):
        raise TypeError(
            f"An estimator must be an object, not a class. Use {estimator.__name__}(). "
            f"Received: estimator={estimator.__name__}"
        )
    if not callable(estimator):
        raise TypeError(
            "An estimator must be an object of tfvae.estimators, such as SGVB() or DReG(5). "
            f"Received: estimator={estimator!r}"
        )
    return estimator
