"""The evidence lower bound of a data set."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfvae._checks import whole_number
from tfvae._seeds import fold_in, stateless_seed
from tfvae.estimators import AveragedELBO, averaged_elbo
from tfvae.evaluation._batches import batches_of_x
from tfvae.evaluation._compiled import compiled
from tfvae.evaluation.record import Record
from tfvae.models import VAE
from tfvae.typing import Seed, Tensor


def elbo(vae: VAE, data: Any, *, num_samples: int = 1, batch_size: int = 100, seed: Seed = 0) -> Record:
    """The ELBO E_q[log p(x|z)] - KL(q(z|x) || p(z)) of each example, in nats, whatever `beta` and estimator are.

    Args:
        vae: the model.
        data: an array `[N, *event]`, a `tfvae.data.Split`, or a data set whose batches hold x.
        num_samples: S, draws of z an example; from 2 on, the Monte Carlo error is known.
        batch_size: examples at a time, for arrays and splits.
        seed: an int or an int32 tensor `[2]`.

    Returns:
        A `Record`; its diagnostics hold the means `log_likelihood` and `kl`.

    Raises:
        ValueError: for `num_samples` below 1, no examples, or data unlike the model's.
    """
    num_samples = whole_number(num_samples, "num_samples")
    terms, seed = compiled(vae, _terms), stateless_seed(seed)
    batches = batches_of_x(data, batch_size, vae.check_data)
    parts = [terms(x, num_samples, fold_in(seed, i)) for i, x in enumerate(batches)]
    bound, variance, log_likelihood, kl = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Record(
        name="elbo",
        unit="nats",
        per_example=bound,
        monte_carlo_variance=variance,
        diagnostics={
            "num_samples": num_samples,
            "log_likelihood": float(log_likelihood.mean(dtype=np.float64)),
            "kl": float(kl.mean(dtype=np.float64)),
        },
    )


def _terms(vae: VAE, x: Tensor, num_samples: Tensor, seed: Tensor) -> AveragedELBO:
    x = tf.cast(x, vae.variable_dtype)
    posterior, prior = vae.infer(x), vae.prior.distribution()
    return averaged_elbo(x, posterior, prior, vae.generate, num_samples=num_samples, seed=seed)
