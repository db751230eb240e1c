"""What an estimator returns."""

from collections.abc import Mapping
from typing import NamedTuple

from tfvae.typing import Tensor


class Weighted(NamedTuple):
    """A term to report as a weighted mean over examples, such as the accuracy over labelled examples.

    Attributes:
        values: The term `[B]`.
        weights: Weights `[B]` of at least 0.
    """

    values: Tensor
    weights: Tensor


class Estimate(NamedTuple):
    """Estimate for a minibatch; every field is `[B]`, in nats.

    Attributes:
        surrogate_loss: What the gradient tape differentiates. Lower is better; the value itself has no meaning.
        bound: The lower bound on log p(x) to report, which depends neither on the surrogate nor on beta.
        log_likelihood: E_q[log p(x|z)].
        kl: KL(q(z|x) || p(z)) without beta, exact or by Monte Carlo.
        terms: Further terms to report, each `[B]` or `Weighted`, by the names of their metrics.
    """

    surrogate_loss: Tensor
    bound: Tensor
    log_likelihood: Tensor
    kl: Tensor
    terms: Mapping[str, Tensor | Weighted] = {}
