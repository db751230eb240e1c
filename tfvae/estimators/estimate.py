"""What an estimator returns."""

from collections.abc import Mapping
from typing import NamedTuple

from tfvae.typing import Tensor


class Estimate(NamedTuple):
    """One minibatch's estimate, every field `[B]` and in nats.

    Attributes:
        surrogate_loss: what the tape differentiates; lower is better, its value means nothing by itself.
        bound: the lower bound on log p(x) to report; it never depends on the surrogate, nor on beta.
        log_likelihood: E_q[log p(x|z)].
        kl: KL(q(z|x) || p(z)), exact or Monte Carlo as the estimator has it, without beta.
        terms: further terms to report, each `[B]`, by the names of their metrics.
    """

    surrogate_loss: Tensor
    bound: Tensor
    log_likelihood: Tensor
    kl: Tensor
    terms: Mapping[str, Tensor] = {}
