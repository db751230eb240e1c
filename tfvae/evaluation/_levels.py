"""Detection of data on discrete levels under a likelihood that is a density, whose log p(x) has no upper bound."""

import numpy as np
import tensorflow_probability as tfp

from tfvae.data.value_grid import ValueGrid, value_grid
from tfvae.layers._discretized import Discretized
from tfvae.layers._discretized_mixture import DiscretizedMixture
from tfvae.layers._table_row import TableRow
from tfvae.models import VAE
from tfvae.models.batch import Batch, rows_of, x_of
from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions

# Families whose log_prob is the log of a probability.
_DISCRETE = (
    *(tfd.Bernoulli, tfd.Binomial, tfd.BetaBinomial, tfd.Categorical, tfd.DirichletMultinomial, tfd.Geometric),
    *(tfd.Multinomial, tfd.NegativeBinomial, tfd.OneHotCategorical, tfd.OrderedLogistic, tfd.Poisson),
    *(tfd.QuantizedDistribution, tfd.Skellam, tfd.Zipf, Discretized, DiscretizedMixture),
)
# Last axes of at most this length are image channels, each of which may have its own levels.
_MAX_CHANNELS = 4


def about_levels(vae: VAE, x: Tensor | Batch) -> dict[str, int]:
    """Returns `density_of_levels`, the number of levels of data x `[B, *event]`, for a record of log p(x).

    The dictionary is empty if the data are not levels or p(x|z) is not a density.
    """
    observed = x.observed if isinstance(x, Batch) else None
    grid = _grid(x_of(x).numpy(), np.array(True) if observed is None else observed.numpy())
    if grid is None:
        return {}
    problem = vae.problem(rows_of(x, slice(1)))
    likelihood = problem.generate(problem.posterior.sample(seed=(0, 0)))
    is_table = isinstance(getattr(likelihood, "distribution", likelihood), TableRow)  # also of its observed values
    if _is_discrete(likelihood) or is_table:  # columns of different kinds have no common levels
        return {}
    return {"density_of_levels": grid.num_levels}


def _is_discrete(distribution: Distribution) -> bool:
    if isinstance(distribution, _DISCRETE):
        return True
    inner = getattr(distribution, "components_distribution", getattr(distribution, "distribution", None))
    return isinstance(inner, tfd.Distribution) and _is_discrete(inner)


def _grid(x: np.ndarray, observed: np.ndarray) -> ValueGrid | None:
    observed = np.broadcast_to(observed, x.shape)
    whole = value_grid(x[observed])
    if whole is not None or x.ndim < 4 or x.shape[-1] > _MAX_CHANNELS:
        return whole
    channels = [value_grid(x[..., c][observed[..., c]]) for c in range(x.shape[-1])]
    found = [grid for grid in channels if grid is not None]
    return max(found, key=lambda grid: grid.num_levels) if len(found) == len(channels) else None
