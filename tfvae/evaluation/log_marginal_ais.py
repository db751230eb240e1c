"""The marginal log-likelihood log p(x), by annealed importance sampling: lower bounds, and bounds from both sides."""

import dataclasses
from typing import Any, Literal, NamedTuple

import numpy as np
import tensorflow as tf

from tfvae._checks import whole_number
from tfvae._seeds import fold_in, split_seed, stateless_seed
from tfvae.estimators.draws import log_mean_exp
from tfvae.evaluation._annealed_hmc import annealed_weights
from tfvae.evaluation._batches import batches_of_examples, details_of, num_observed
from tfvae.evaluation._chains import log_likelihood_of, support_of, unconstrained
from tfvae.evaluation._compiled import compiled
from tfvae.evaluation._finite import require_finite
from tfvae.evaluation._latents import conditions_of, example_prior, require_vector
from tfvae.evaluation._levels import about_levels
from tfvae.evaluation.record import Record
from tfvae.models import VAE
from tfvae.models.batch import Batch
from tfvae.typing import Seed, Tensor, TensorLike


class BidirectionalAIS(NamedTuple):
    """Result of `bidirectional_ais`, for simulated examples.

    Attributes:
        lower: A lower bound on log p(x) in expectation, from chains from the start to p(z|x).
        upper: An upper bound in expectation, from chains from p(z|x) back to the start.
        gap: Difference upper - lower for each example; its mean is a bound on the mean error of either, in expectation.
        x: The simulated data `[N, *event]`, for trying other estimators of log p(x).
    """

    lower: Record
    upper: Record
    gap: Record
    x: np.ndarray


def log_marginal_ais(
    vae: VAE,
    data: Any,
    *,
    num_chains: int = 16,
    num_steps: int = 1000,
    num_leapfrog_steps: int = 5,
    start: Literal["prior", "posterior"] = "prior",
    batch_size: int = 100,
    seed: Seed = 0,
) -> Record:
    """Estimates log p(x) by annealed importance sampling, of each example, in nats.

    For models with a poor q(z|x), for which `log_marginal` warns: the accuracy depends not on how close q is to p(z|x)
    but on the number of steps between them. The estimate is a lower bound on log p(x) in expectation that gets tighter
    with `num_steps`; `bidirectional_ais` measures how tight it is. Each example costs `num_chains * num_steps *
    (num_leapfrog_steps + 1)` forward and backward passes of the decoder.

    Args:
        vae: The model; z is a vector of floats.
        data: An array `[N, *event]`, a `tfvae.data.Split`, or a data set whose batches contain x.
        num_chains: C, number of independent chains per example, whose weights are averaged.
        num_steps: T, number of evenly spaced distributions on the geometric path from the start to p(x, z).
        num_leapfrog_steps: Number of leapfrog steps of the HMC step at each distribution.
        start: The distribution in which chains start, "prior" for p(z) or "posterior" for q(z|x).
        batch_size: Number of examples per batch, for arrays and splits. Random numbers are drawn for a batch as a whole
            and depend on it.
        seed: An int or an int32 tensor `[2]`.

    Returns:
        A `Record`. Its diagnostics are the arguments, the median and the smallest effective sample size of the C
        weights, and the mean acceptance rate of the HMC steps. Its details, `[N]` each, are `effective_sample_size` and
        `acceptance`.

    Raises:
        TypeError: If `data` is not an array, a split or a data set.
        ValueError: If a count is below 1, `start` is unknown, the latents are discrete, on a sphere or not a vector of
            floats, there are no examples, the data do not fit the model, or log p(x) is not finite.

    Numerics:
        The step sizes of HMC, one for each step and example, are adapted to an acceptance rate of 0.65 in a separate
        run with a quarter of the chains. The main run keeps them fixed, so that its mean weight is an unbiased estimate
        of p(x).

    References:
        Neal, Annealed importance sampling, 2001, Statistics and Computing 11, equation 6.
        Wu et al., On the quantitative analysis of decoder-based generative models, 2016, arXiv 1611.04273, section 4.
    """
    numbers = _numbers(vae, "log_marginal_ais", num_chains, num_steps, num_leapfrog_steps)
    forward, seed = compiled(vae, _Forward(_start(start))), stateless_seed(seed)
    parts, first = [], 0
    about: dict[str, int] = {}
    counts: list[np.ndarray] = []
    for i, x in enumerate(batches_of_examples(vae, data, batch_size)):
        about = about_levels(vae, x) if i == 0 else about
        parts.append([column.numpy() for column in forward(x, numbers, fold_in(seed, i))])
        require_finite(vae, parts[-1][0], first)
        first += len(parts[-1][0])
        counts += num_observed(x)
    record = _record("log_marginal_ais", parts, numbers, start)
    details = record.details | details_of(counts)
    return dataclasses.replace(record, diagnostics=record.diagnostics | about, details=details)


def bidirectional_ais(
    vae: VAE,
    *,
    num_examples: int = 100,
    condition: TensorLike | None = None,
    num_chains: int = 16,
    num_steps: int = 1000,
    num_leapfrog_steps: int = 5,
    start: Literal["prior", "posterior"] = "prior",
    batch_size: int = 100,
    seed: Seed = 0,
) -> BidirectionalAIS:
    """Bounds log p(x) of simulated data from both sides, which measures the accuracy of `log_marginal_ais`.

    With z ~ p(z) and x ~ p(x|z), z is a draw from the exact p(z|x), and chains from there back to the start bound log
    p(x) from above. If the gap between the two means is small, so is the error of either. The result applies to real
    data as far as the model describes them well.

    Args:
        vae: The model; z is a vector of floats.
        num_examples: N, number of examples to simulate.
        condition: For a conditional model, the condition of all examples, or one for each.
        num_chains: See `log_marginal_ais`; all chains back start from the one exact draw.
        num_steps: See `log_marginal_ais`.
        num_leapfrog_steps: See `log_marginal_ais`.
        start: See `log_marginal_ais`.
        batch_size: See `log_marginal_ais`.
        seed: An int or an int32 tensor `[2]`.

    Returns:
        `BidirectionalAIS`. The Monte Carlo variance of `upper` and of `gap` is NaN: the chains back share their first
        state, so that their error is only known from the spread over examples.

    Raises:
        ValueError: As in `log_marginal_ais`.

    References:
        Grosse, Ghahramani & Adams, Sandwiching the marginal likelihood using bidirectional Monte Carlo, 2015,
        arXiv 1511.02543, section 4.
    """
    numbers = _numbers(vae, "bidirectional_ais", num_chains, num_steps, num_leapfrog_steps)
    num_examples, batch_size = whole_number(num_examples, "num_examples"), whole_number(batch_size, "batch_size")
    both = compiled(vae, _Both(_start(start)))
    seed_z, seed = split_seed(seed, 2, "bidirectional_ais")
    conditions = conditions_of(vae, condition, num_examples)
    prior = vae.prior_of(conditions)
    z = prior.sample([] if prior.batch_shape.rank else num_examples, seed=seed_z)
    lower, upper, data = [], [], []
    for i, first in enumerate(range(0, num_examples, batch_size)):
        rows = slice(first, first + batch_size)
        given = z[rows], None if conditions is None else conditions[rows]
        below, above, x = tf.nest.map_structure(lambda column: column.numpy(), both(given, numbers, fold_in(seed, i)))
        for part in (below, above):
            require_finite(vae, part[0], first)
        lower.append(below)
        upper.append(above)
        data.append(x)
    below, above = (_record("log_marginal_ais", parts, numbers, start) for parts in (lower, upper))
    unknown = np.full(num_examples, np.nan)
    gap = Record("log_marginal_ais_gap", "nats", above.per_example - below.per_example, unknown)
    return BidirectionalAIS(
        below,
        dataclasses.replace(above, name="log_marginal_ais_upper", monte_carlo_variance=unknown),
        gap,
        np.concatenate(data),
    )


class _Estimate(NamedTuple):
    """Results for a batch, each `[B]`."""

    log_mean: Tensor
    effective_sample_size: Tensor
    acceptance: Tensor


@dataclasses.dataclass(frozen=True)
class _Forward:
    """Runs chains from the start to p(x, z)."""

    start: str

    def __call__(self, vae: VAE, x: Tensor | Batch, numbers: tuple[Tensor, ...], seed: Tensor) -> _Estimate:
        return _Path(vae, x, self.start, numbers).forward(seed)[0]


@dataclasses.dataclass(frozen=True)
class _Both:
    """Simulates x ~ p(x|z) and runs chains in both directions."""

    start: str

    def __call__(
        self, vae: VAE, given: tuple[Tensor, Tensor | None], numbers: tuple[Tensor, ...], seed: Tensor
    ) -> tuple[_Estimate, _Estimate, Tensor]:
        z, condition = given
        seed_x, seed_forward, seed_back = split_seed(seed, 3, "ais_both")
        x = tf.cast(vae.generate(z, condition=condition).sample(seed=seed_x), vae.variable_dtype)
        path = _Path(vae, Batch(x, condition), self.start, numbers)
        lower, step_sizes = path.forward(seed_forward)
        return lower, path.back(z, step_sizes, seed_back), x


class _Path:
    """The densities at both ends of the path for a batch of examples, and runs of chains along it."""

    def __init__(self, vae: VAE, x: Tensor | Batch, start: str, numbers: tuple[Tensor, ...]):
        self.num_chains, self.num_steps, self.num_leapfrog_steps = numbers
        problem = vae.problem(x)
        prior = problem.prior
        # Chains run in the unconstrained space of u, with z = support(u).
        self.support = support_of(prior)
        if start == "prior":
            density, shape = prior, [] if prior.batch_shape.rank else [tf.shape(problem.x)[0]]
        else:
            density, shape = problem.posterior, []
        self.sample = lambda n, seed: self.support.inverse(density.sample([n, *shape], seed=seed))
        self.start = unconstrained(density.log_prob, self.support)
        log_likelihood = log_likelihood_of(problem)
        self.joint = unconstrained(lambda z: prior.log_prob(z) + log_likelihood(z), self.support)

    def forward(self, seed: Tensor) -> tuple[_Estimate, Tensor]:
        """Returns the estimate of log p(x) and the step sizes `[T, B]`."""
        seeds = split_seed(seed, 4, "ais_forward")
        pilot = self.sample(tf.maximum(self.num_chains // 4, 2), seeds[0])
        step_sizes = self._run(pilot, self.start, self.joint, None, seeds[1])[1].step_sizes
        z = self.sample(self.num_chains, seeds[2])
        return self._estimate(*self._run(z, self.start, self.joint, step_sizes, seeds[3])), step_sizes

    def back(self, z: Tensor, step_sizes: Tensor, seed: Tensor) -> _Estimate:
        """Returns the estimate of log p(x) from chains that start in exact draws z `[B, D]` of p(z|x)."""
        chains = tf.repeat(self.support.inverse(z)[tf.newaxis], self.num_chains, axis=0)
        # Forward step s has the distribution at (s + 1)/T of the path, backward step s that at 1 - (s + 1)/T.
        steps = tf.maximum(self.num_steps - 2 - tf.range(self.num_steps), 0)
        log_weights, results = self._run(chains, self.joint, self.start, tf.gather(step_sizes, steps), seed)
        estimate = self._estimate(log_weights, results)
        return estimate._replace(log_mean=-estimate.log_mean)

    def _run(self, z: Tensor, proposal: Any, target: Any, step_sizes: Tensor | None, seed: Tensor) -> Any:
        return annealed_weights(
            z,
            proposal,
            target,
            num_steps=self.num_steps,
            num_leapfrog_steps=self.num_leapfrog_steps,
            step_sizes=step_sizes,
            seed=seed,
        )

    def _estimate(self, log_weights: Tensor, results: Any) -> _Estimate:
        log_weights = tf.cast(log_weights, tf.float64)  # [C, B]
        log_sum, log_squares = tf.reduce_logsumexp(log_weights, 0), tf.reduce_logsumexp(2.0 * log_weights, 0)
        acceptance = results.acceptance / tf.cast(self.num_steps, results.acceptance.dtype)
        return _Estimate(log_mean_exp(log_weights), tf.exp(2.0 * log_sum - log_squares), acceptance)


def _numbers(vae: VAE, purpose: str, num_chains: Any, num_steps: Any, num_leapfrog_steps: Any) -> tuple[int, int, int]:
    require_vector(vae, purpose)
    support_of(example_prior(vae))
    return (
        whole_number(num_chains, "num_chains"),
        whole_number(num_steps, "num_steps"),
        whole_number(num_leapfrog_steps, "num_leapfrog_steps"),
    )


def _start(start: Any) -> str:
    if start not in ("prior", "posterior"):
        raise ValueError(f"`start` must be 'prior' for p(z) or 'posterior' for q(z|x). Received: start={start!r}")
    return start


def _record(name: str, parts: list[Any], numbers: tuple[int, int, int], start: str) -> Record:
    estimate, effective, acceptance = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    # Delta method: Var[log mean w] = Var[w] / (C E[w]^2) = 1/ESS - 1/C.
    variance = np.maximum(1.0 / effective - 1.0 / numbers[0], 0.0)
    return Record(
        name=name,
        unit="nats",
        per_example=estimate,
        monte_carlo_variance=np.full_like(variance, np.nan) if numbers[0] == 1 else variance,
        diagnostics={
            **dict(zip(("num_chains", "num_steps", "num_leapfrog_steps"), numbers, strict=True)),
            "start": start,
            "effective_sample_size_median": float(np.median(effective)),
            "effective_sample_size_min": float(np.min(effective)),
            "acceptance": float(np.mean(acceptance)),
        },
        details={"effective_sample_size": effective, "acceptance": acceptance},
    )
