"""The input of an estimator."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from tfvae.typing import Distribution, Tensor


class Problem(NamedTuple):
    """A batch as an estimator sees it: data, posterior, prior and likelihood, given the condition if there is one.

    Created by `VAE.problem`. The condition is not part of it, because posterior, prior and `generate` already depend on
    it. Observed latents, such as a label that is a part of z, are part of it, because an estimator has to know which
    parts of z to draw.

    Attributes:
        x: Data `[B, *event]`.
        posterior: q(z|x), of batch shape `[B]`.
        prior: p(z), of batch shape `[]`, or `[B]` if there is a condition.
        generate: Takes z `[..., B, *latent]` and returns p(x|z), of batch shape `[..., B]`.
        infer: Takes other data `[B, *event]` and returns q(z|x), for estimators that train the encoder on dreams.
        observed: Observed latents: None, or a nest like z whose leaves are None or `(value, known)` with a boolean
            `known` `[B]`.
    """

    x: Tensor
    posterior: Distribution
    prior: Distribution
    generate: Callable[[Any], Distribution]
    infer: Callable[[Tensor], Distribution] | None = None
    observed: Any = None

    def require_unobserved(self) -> None:
        """Checks that no latent was observed; for estimators that draw all of z from the posterior.

        Raises:
            ValueError: If a latent was observed.
        """
        if any(leaf is not None for leaf in tf.nest.flatten(self.observed)):
            raise ValueError(
                "Some latents of this batch were observed, but this estimator draws all of z from q(z|x) and would "
                "ignore them. Use an estimator that conditions on observed latents, or leave them out of the batch. "
                f"Received: observed={self.observed!r}"
            )
