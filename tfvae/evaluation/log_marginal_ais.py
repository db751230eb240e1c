"""The marginal log-likelihood log p(x), by annealed importance sampling, from below and from both sides."""

import dataclasses
from typing import Any, Literal, NamedTuple

import numpy as np
import tensorflow as tf

from tfvae._checks import whole_number
from tfvae._seeds import fold_in, split_seed, stateless_seed
from tfvae.estimators.draws import log_mean_exp
from tfvae.evaluation._annealed_hmc import annealed_weights
from tfvae.evaluation._batches import batches_of_x
from tfvae.evaluation._chains import support_of, unconstrained
from tfvae.evaluation._compiled import compiled
from tfvae.evaluation._finite import require_finite
from tfvae.evaluation._latents import require_vector
from tfvae.evaluation._levels import about_levels
from tfvae.evaluation.record import Record
from tfvae.models import VAE
from tfvae.typing import Seed, Tensor


class BidirectionalAIS(NamedTuple):
    """What `bidirectional_ais` returns, for the same simulated examples.

    Attributes:
        lower: in expectation below log p(x): the chains from the start to p(z|x).
        upper: in expectation above it: the chains from p(z|x) back.
        gap: upper - lower of each example, whose mean bounds the mean error of either, in expectation.
        x: the simulated data `[N, *event]`, for other estimators of log p(x) to be tried on.
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

    For models whose q(z|x) is poor, where `log_marginal` warns: what counts is not how near q is to p(z|x) but how
    gradually one gets there. A lower bound on log p(x) in expectation, that gets closer with `num_steps`;
    `bidirectional_ais` tells how close. The cost of an example is that of `num_chains * num_steps *
    (num_leapfrog_steps + 2)` passes through the decoder and back.

    Args:
        vae: the model; z is a vector of floats.
        data: an array `[N, *event]`, a `tfvae.data.Split`, or a data set whose batches hold x.
        num_chains: C, independent chains an example, whose weights are averaged.
        num_steps: T, the distributions along the geometric path from the start to p(x, z), evenly spaced.
        num_leapfrog_steps: of the HMC step at each of them.
        start: where chains start, "prior" p(z) or "posterior" q(z|x).
        batch_size: examples at a time, for arrays and splits. The random numbers are drawn for a batch as a whole.
        seed: an int or an int32 tensor `[2]`.

    Returns:
        A `Record`. Its diagnostics: the arguments, the effective sample size of the C weights, median and least, and
        the mean acceptance of the HMC steps. Its details, `[N]` each: `effective_sample_size` and `acceptance`.

    Raises:
        TypeError: for what is no data.
        ValueError: for a count below 1, another start, latents that are discrete, on a sphere or not a vector of
            floats, no examples, data unlike the model's, or a model whose log p(x) is not finite.

    Numerics:
        HMC's step sizes are found by a run of a quarter as many chains that is then thrown away, one for each step and
        example, for an acceptance of 0.65; the run that counts holds them fixed, so that its mean weight is p(x).

    References:
        Neal, Annealed importance sampling, 2001, Statistics and Computing 11, equation 6.
        Wu et al., On the quantitative analysis of decoder-based generative models, 2016, arXiv 1611.04273, section 4.
    """
    numbers = _numbers(vae, "log_marginal_ais", num_chains, num_steps, num_leapfrog_steps)
    forward, seed = compiled(vae, _Forward(_start(start))), stateless_seed(seed)
    parts, first = [], 0
    about: dict[str, int] = {}
    for i, x in enumerate(batches_of_x(vae, data, batch_size)):
        about = about_levels(vae, x) if i == 0 else about
        parts.append([column.numpy() for column in forward(x, numbers, fold_in(seed, i))])
        require_finite(vae, parts[-1][0], first)
        first += len(parts[-1][0])
    record = _record("log_marginal_ais", parts, numbers, start)
    return dataclasses.replace(record, diagnostics=record.diagnostics | about)


def bidirectional_ais(
    vae: VAE,
    *,
    num_examples: int = 100,
    num_chains: int = 16,
    num_steps: int = 1000,
    num_leapfrog_steps: int = 5,
    start: Literal["prior", "posterior"] = "prior",
    batch_size: int = 100,
    seed: Seed = 0,
) -> BidirectionalAIS:
    """Sandwiches log p(x) of data simulated from the model, and so tells how far `log_marginal_ais` can be trusted.

    With z ~ p(z) and x ~ p(x|z), z is a draw from the exact p(z|x): chains that start there and go the way back to the
    start bound log p(x) from above. Where the gap between the two means is small, so is the error of either. What holds
    for simulated data holds for real data as far as the model is near them.

    Args:
        vae: the model; z is a vector of floats.
        num_examples: N, how many x to simulate.
        num_chains: see `log_marginal_ais`; those back start from the one exact draw.
        num_steps: likewise.
        num_leapfrog_steps: likewise.
        start: likewise.
        batch_size: likewise.
        seed: an int or an int32 tensor `[2]`.

    Returns:
        `BidirectionalAIS`. The Monte Carlo variance of `upper` and of `gap` is NaN: the chains back share their first
        state, and only the spread over examples tells their error.

    Raises:
        ValueError: as `log_marginal_ais`.

    References:
        Grosse, Ghahramani & Adams, Sandwiching the marginal likelihood using bidirectional Monte Carlo, 2015,
        arXiv 1511.02543, section 4.
    """
    numbers = _numbers(vae, "bidirectional_ais", num_chains, num_steps, num_leapfrog_steps)
    num_examples, batch_size = whole_number(num_examples, "num_examples"), whole_number(batch_size, "batch_size")
    both = compiled(vae, _Both(_start(start)))
    seed_z, seed = split_seed(seed, 2, "bidirectional_ais")
    z = vae.prior.distribution().sample(num_examples, seed=seed_z)
    lower, upper, data = [], [], []
    for i, first in enumerate(range(0, num_examples, batch_size)):
        below, above, x = tf.nest.map_structure(
            lambda column: column.numpy(), both(z[first : first + batch_size], numbers, fold_in(seed, i))
        )
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
    """Of a batch, each `[B]`."""

    log_mean: Tensor
    effective_sample_size: Tensor
    acceptance: Tensor


@dataclasses.dataclass(frozen=True)
class _Forward:
    """Chains from the start to p(x, z)."""

    start: str

    def __call__(self, vae: VAE, x: Tensor, numbers: tuple[Tensor, ...], seed: Tensor) -> _Estimate:
        return _Path(vae, x, self.start, numbers).forward(seed)[0]


@dataclasses.dataclass(frozen=True)
class _Both:
    """Data x ~ p(x|z), and the chains there and back."""

    start: str

    def __call__(
        self, vae: VAE, z: Tensor, numbers: tuple[Tensor, ...], seed: Tensor
    ) -> tuple[_Estimate, _Estimate, Tensor]:
        seed_x, seed_forward, seed_back = split_seed(seed, 3, "ais_both")
        x = tf.cast(vae.generate(z).sample(seed=seed_x), vae.variable_dtype)
        path = _Path(vae, x, self.start, numbers)
        lower, step_sizes = path.forward(seed_forward)
        return lower, path.back(z, step_sizes, seed_back), x


class _Path:
    """The densities at both ends of the path for a batch x `[B, *event]`, and runs along it."""

    def __init__(self, vae: VAE, x: Tensor, start: str, numbers: tuple[Tensor, ...]):
        self.num_chains, self.num_steps, self.num_leapfrog_steps = numbers
        problem = vae.problem(x)
        prior = problem.prior
        # Chains run where z is free of constraints: u with z = support(u).
        self.support = support_of(prior)
        if start == "prior":
            density, shape = prior, [tf.shape(x)[0]]
        else:
            density, shape = problem.posterior, []
        self.sample = lambda n, seed: self.support.inverse(density.sample([n, *shape], seed=seed))
        self.start = unconstrained(density.log_prob, self.support)
        self.joint = unconstrained(lambda z: prior.log_prob(z) + problem.generate(z).log_prob(x), self.support)

    def forward(self, seed: Tensor) -> tuple[_Estimate, Tensor]:
        """The estimate of log p(x), and the step sizes `[T, B]`."""
        seeds = split_seed(seed, 4, "ais_forward")
        pilot = self.sample(tf.maximum(self.num_chains // 4, 2), seeds[0])
        step_sizes = self._run(pilot, self.start, self.joint, None, seeds[1])[1].step_sizes
        z = self.sample(self.num_chains, seeds[2])
        return self._estimate(*self._run(z, self.start, self.joint, step_sizes, seeds[3])), step_sizes

    def back(self, z: Tensor, step_sizes: Tensor, seed: Tensor) -> _Estimate:
        """The estimate of log p(x) by chains from exact draws z `[B, D]` of p(z|x)."""
        chains = tf.repeat(self.support.inverse(z)[tf.newaxis], self.num_chains, axis=0)
        # Step s of the way there is under the distribution (s + 1)/T along; step s of the way back, 1 - (s + 1)/T.
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
    support_of(vae.prior.distribution())
    return (
        whole_number(num_chains, "num_chains"),
        whole_number(num_steps, "num_steps"),
        whole_number(num_leapfrog_steps, "num_leapfrog_steps"),
    )


def _start(start: Any) -> str:
    if start not in ("prior", "posterior"):
        raise ValueError(f"start is 'prior', chains from p(z), or 'posterior', from q(z|x). Received: {start!r}.")
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
