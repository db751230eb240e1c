"""The evidence lower bound of a data set."""

from typing import Any

import numpy as np

from tfvae._checks import whole_number
from tfvae._seeds import fold_in, stateless_seed
from tfvae.estimators import AveragedELBO, averaged_elbo
from tfvae.evaluation._batches import batches_of_x
from tfvae.evaluation._compiled import compiled
from tfvae.evaluation._finite import require_finite
from tfvae.evaluation._levels import about_levels
from tfvae.evaluation.record import Record
from tfvae.models import VAE
from tfvae.typing import Seed, Tensor


def elbo(vae: VAE, data: Any, *, num_samples: int = 2, batch_size: int = 100, seed: Seed = 0) -> Record:
    """The ELBO E_q[log p(x|z)] - KL(q(z|x) || p(z)) of each example, in nats, whatever `beta` and estimator are.

    Args:
        vae: the model.
        data: an array `[N, *event]`, a `tfvae.data.Split`, or a data set whose batches hold x.
        num_samples: S, draws of z an example. With 1, the Monte Carlo error is unknown (NaN).
        batch_size: examples at a time, for arrays and splits.
        seed: an int or an int32 tensor `[2]`.

    Returns:
        A `Record`; its diagnostics hold the means `log_likelihood` and `kl` with their standard errors (that of `kl`
        over seeds is 0 where it is exact), its details both of each example.

    Raises:
        TypeError: for what is no data.
        ValueError: for `num_samples` below 1, no examples, data unlike the model's, or an ELBO that is not finite.
    """
    num_samples = whole_number(num_samples, "num_samples")
    terms, seed = compiled(vae, _terms), stateless_seed(seed)
    parts, first = [], 0
    about: dict[str, int] = {}
    for i, x in enumerate(batches_of_x(vae, data, batch_size)):
        about = about_levels(vae, x) if i == 0 else about
        parts.append([column.numpy() for column in terms(x, num_samples, fold_in(seed, i))])
        require_finite(vae, parts[-1][0], first, "The ELBO", x)
        first += len(parts[-1][0])
    found = AveragedELBO(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    log_likelihood = Record("log_likelihood", "nats", found.log_likelihood, found.log_likelihood_variance)
    kl = Record("kl", "nats", found.kl, found.kl_variance)
    return Record(
        name="elbo",
        unit="nats",
        per_example=found.bound,
        monte_carlo_variance=found.variance,
        diagnostics={"num_samples": num_samples, **_named(log_likelihood), **_named(kl), **about},
        details={"log_likelihood": found.log_likelihood, "kl": found.kl},
    )


def _named(record: Record) -> dict[str, float | None]:
    """A record's numbers under its name."""
    numbers = record.to_dict()
    errors = ("standard_error", "monte_carlo_standard_error")
    return {record.name: numbers["mean"], **{f"{record.name}_{error}": numbers[error] for error in errors}}


def _terms(vae: VAE, x: Tensor, num_samples: Tensor, seed: Tensor) -> AveragedELBO:
    return averaged_elbo(vae.problem(x), num_samples=num_samples, seed=seed)
