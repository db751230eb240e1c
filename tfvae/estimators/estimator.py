"""What every estimator declares, and what some declare besides."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import keras

from tfvae.estimators.estimate import Estimate
from tfvae.estimators.kl_weighting import KLPenalty
from tfvae.estimators.problem import Problem
from tfvae.typing import Seed, Tensor


class Estimator(Protocol):
    """A pure function of a `Problem`: no randomness but its seed, and no weights of its own.

    The latents are opaque to it: z goes from the posterior to the prior and to `generate`, and no further. An estimator
    that neither looks at `problem.observed` nor draws with `tfvae.estimators.draw` or `elbo_terms`, which do so, calls
    `problem.require_unobserved()`.

    An estimator with weights that train with the model is an `EstimatorWithLayers`; one that follows the training, step
    by step, an `EstimatorWithUpdate`.
    """

    def __call__(self, problem: Problem, *, beta: Tensor | float = 1.0, seed: Seed = None) -> Estimate:
        """Estimates the bound.

        Args:
            problem: the batch, and what the model says of it.
            beta: the weight of the KL in the surrogate.
            seed: an int or an int32 tensor `[2]`.
        """
        ...

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        ...


@runtime_checkable
class EstimatorWithLayers(Protocol):
    """An estimator with weights that train with the model and are saved with it, such as those of a baseline."""

    @property
    def layers(self) -> Sequence[keras.layers.Layer]:
        """The layers that have the weights."""
        ...


@runtime_checkable
class EstimatorWithUpdate(Protocol):
    """An estimator that is told of each training step, such as one that keeps a running mean."""

    def update(self, estimate: Estimate, *, beta: KLPenalty | Tensor | float = 1.0) -> None:
        """Called once a training step.

        Args:
            estimate: what the estimator returned in this step.
            beta: what it was given.
        """
        ...


def require_estimator(estimator: Any) -> Estimator:
    """The estimator as it is.

    Raises:
        TypeError: for a name, or a class in place of an object of it.
    """
    if isinstance(estimator, type):
        raise TypeError(
            f"An estimator is an object, with its settings. Received the class {estimator.__name__}: write "
            f"{estimator.__name__}()."
        )
    if not callable(estimator):
        raise TypeError(
            f"An estimator is an object of tfvae.estimators, such as SGVB() or DReG(5). Received: {estimator!r}."
        )
    return estimator
