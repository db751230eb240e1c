"""Terms of the ELBO of the examples on the explore page."""

from typing import NamedTuple

import numpy as np

# Draws of z for the ELBO of one image. The ELBO of an example on the map has one draw.
NUM_SAMPLES = 64
# Importance samples for log p(x) of one image.
NUM_IMPORTANCE_SAMPLES = 500


class Terms(NamedTuple):
    """Posterior moments and ELBO terms of examples.

    Attributes:
        loc: Mean of q(z|x) `[N, D]`.
        scale: Standard deviation of q(z|x) `[N, D]`.
        log_likelihood: E_q[log p(x|z)] `[N]`, nats.
        kl: KL(q(z|x) || p(z)) `[N]`, nats.
    """

    loc: np.ndarray
    scale: np.ndarray
    log_likelihood: np.ndarray
    kl: np.ndarray

    @property
    def elbo(self) -> np.ndarray:
        """The ELBO `[N]`, nats."""
        return self.log_likelihood - self.kl
