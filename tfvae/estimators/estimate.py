"""What an estimator returns."""

from collections.abc import Mapping
from typing import NamedTuple

from tfvae.typing import Tensor


class Estimate(NamedTuple):
    """Estimate for a minibatch; every field is `[B]`, in nats.

    Attributes:
        surrogate_loss: What the gradient tape differentiates. Lower is better; the value itself has no meaning.
        bound: The lower bound on log p(x) to report, which depends neither on the surrogate nor on beta.
        log_likelihood: E_q[log p(x|z)].
        kl: KL(q(z|x) || p(z)) without beta, exact or by Monte Carlo.
        terms: Further terms to report, each `[B]`, by the names of their metrics.
    """

    surrogate_loss: Tensor
    bound: Tensor
    log_likelihood: Tensor
    kl: Tensor
    terms: Mapping[str, Tensor] = {}
