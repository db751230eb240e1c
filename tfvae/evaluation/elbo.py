"""The evidence lower bound of a data set."""

import dataclasses
from typing import Any

import numpy as np

from tfvae._checks import whole_number
from tfvae._seeds import fold_in, stateless_seed
from tfvae.estimators import AveragedELBO, Estimator, averaged_elbo
from tfvae.evaluation._batches import batches_of_examples, details_of, num_observed
from tfvae.evaluation._compiled import compiled
from tfvae.evaluation._finite import require_finite
from tfvae.evaluation._levels import about_levels
from tfvae.evaluation._proposal import about_proposal, require_proposal, with_proposal
from tfvae.evaluation.record import Record
from tfvae.models import VAE
from tfvae.models.batch import Batch
from tfvae.typing import Seed, Tensor


def elbo(
    vae: VAE,
    data: Any,
    *,
    num_samples: int = 2,
    batch_size: int = 100,
    estimator: Estimator | None = None,
    seed: Seed = 0,
) -> Record:
    """Estimates the ELBO E_q[log p(x|z)] - KL(q(z|x) || p(z)) of each example, in nats.

    The result depends on neither `beta` nor the model's estimator.

    Args:
        vae: The model.
        data: An array `[N, *event]`, a `tfvae.data.Split`, or a data set whose batches contain x.
        num_samples: S, number of draws of z per example. With 1, the Monte Carlo error is unknown (NaN).
        batch_size: Number of examples per batch, for arrays and splits.
        estimator: An estimator with draws of its own, such as `HamiltonianELBO`, whose bound it then is:
            `estimator=vae.estimator`. None is q(z|x).
        seed: An int or an int32 tensor `[2]`.

    Returns:
        A `Record`. Its diagnostics include the means `log_likelihood` and `kl` with their standard errors (that of `kl`
        over seeds is 0 if the KL is exact), and its details both of them for each example.

    Raises:
        TypeError: If `data` is not an array, a split or a data set, or `estimator` is not an estimator.
        ValueError: If `num_samples` is below 1, the draws of `estimator` are those of q(z|x), there are no examples,
            the data do not fit the model, or the ELBO is not finite.
    """
    num_samples = whole_number(num_samples, "num_samples")
    require_proposal(estimator)
    terms, seed = compiled(vae, _Terms(estimator)), stateless_seed(seed)
    parts, first = [], 0
    about: dict[str, int] = {}
    counts: list[np.ndarray] = []
    for i, x in enumerate(batches_of_examples(vae, data, batch_size)):
        about = about_levels(vae, x) if i == 0 else about
        parts.append([column.numpy() for column in terms(x, num_samples, fold_in(seed, i))])
        require_finite(vae, parts[-1][0], first, "The ELBO", x)
        counts += num_observed(x)
        first += len(parts[-1][0])
    columns: list[Any] = [np.concatenate(column) for column in zip(*parts, strict=True)]
    found: Any = AveragedELBO(*columns)
    log_likelihood = Record("log_likelihood", "nats", found.log_likelihood, found.log_likelihood_variance)
    kl = Record("kl", "nats", found.kl, found.kl_variance)
    return Record(
        name="elbo",
        unit="nats",
        per_example=found.bound,
        monte_carlo_variance=found.variance,
        diagnostics={
            "num_samples": num_samples,
            **_named(log_likelihood),
            **_named(kl),
            **about_proposal(estimator),
            **about,
        },
        details={"log_likelihood": found.log_likelihood, "kl": found.kl} | details_of(counts),
    )


def _named(record: Record) -> dict[str, float | None]:
    """Returns a record's numbers with its name as a prefix."""
    numbers = record.to_dict()
    errors = ("standard_error", "monte_carlo_standard_error")
    return {record.name: numbers["mean"], **{f"{record.name}_{error}": numbers[error] for error in errors}}


@dataclasses.dataclass(frozen=True)
class _Terms:
    """The function to compile, which is equal for the same estimator."""

    estimator: Estimator | None

    def __call__(self, vae: VAE, x: Tensor | Batch, num_samples: Tensor, seed: Tensor) -> AveragedELBO:
        return averaged_elbo(with_proposal(vae.problem(x), self.estimator), num_samples=num_samples, seed=seed)
