"""The amortisation gap and the approximation gap of the encoder."""

import dataclasses
from typing import Any, Literal

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from scipy.special import logsumexp

from tfvae._checks import number, whole_number
from tfvae._dimensions import has_diagonal_scale
from tfvae._kl import _multivariate_normal
from tfvae._seeds import fold_in, split_seed, stateless_seed
from tfvae.estimators.moments import moments_over_draws
from tfvae.evaluation._batches import batches_of_examples, details_of, num_observed
from tfvae.evaluation._compiled import compiled
from tfvae.evaluation._finite import require_finite
from tfvae.evaluation._importance import importance_log_weights
from tfvae.evaluation._latents import require_vector
from tfvae.evaluation._pareto import pareto_k, pareto_k_threshold, tail_size
from tfvae.evaluation._refinement import Normals, refine
from tfvae.evaluation.record import Record
from tfvae.models import VAE
from tfvae.models.batch import Batch, rows_of, size_of
from tfvae.typing import Distribution, Seed, Tensor

tfd = tfp.distributions


@dataclasses.dataclass(frozen=True)
class InferenceGaps:
    """Result of `inference_gaps`; records are in nats per example.

    log p(x) - ELBO = approximation gap + amortisation gap.

    Attributes:
        family: The covariance of the encoder's q(z|x), "diagonal" or "full".
        log_marginal: log p(x), by importance sampling from the refined normal with full covariance. If the encoder is
            poor, this is more accurate than `tfvae.evaluation.log_marginal`, which draws from the encoder's q.
        elbo: ELBO of the encoder's q(z|x).
        elbo_refined_diagonal: ELBO of the best normal with a diagonal covariance, found for each example.
        elbo_refined_full: ELBO of the best normal.
        amortization_gap: The refined ELBO in the encoder's family minus the encoder's ELBO: the cost of one network for
            all x.
        approximation_gap: log p(x) minus the refined ELBO in the encoder's family: the cost of the family.
        approximation_gap_full: log p(x) minus `elbo_refined_full`: the gap that a full covariance would leave.
    """

    family: Literal["diagonal", "full"]
    log_marginal: Record
    elbo: Record
    elbo_refined_diagonal: Record
    elbo_refined_full: Record
    amortization_gap: Record
    approximation_gap: Record
    approximation_gap_full: Record

    def to_dict(self) -> dict[str, Any]:
        """Returns the values for `report.json`."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: value.to_dict() if isinstance(value, Record) else value for name, value in values.items()}


def inference_gaps(
    vae: VAE,
    data: Any,
    *,
    num_importance_samples: int = 5000,
    num_steps: int = 500,
    num_samples: int = 100,
    num_step_samples: int = 8,
    learning_rate: float = 0.1,
    batch_size: int = 100,
    seed: Seed = 0,
) -> InferenceGaps:
    """Distinguishes a weak encoder from a weak family of posteriors by refining q(z|x) for each example.

    Each batch costs twice as much as `num_steps` training steps with `num_step_samples` draws; a few hundred examples
    are enough. Gaps are not clipped, so that noise or too few steps can make a small gap negative.

    Args:
        vae: The model; q(z|x) is a normal distribution, in any spelling, over a vector z.
        data: An array `[N, *event]`, a `tfvae.data.Split`, or a data set whose batches contain x.
        num_importance_samples: K, number of draws for log p(x), at least 2.
        num_steps: Number of steps of Adam for each family; 0 means no refinement.
        num_samples: S, number of new draws per example for measuring the ELBOs, at least 2 for their errors to be
            known. All ELBOs use the same noise, so that their differences are more accurate than the ELBOs themselves.
        num_step_samples: Number of draws per example in each step, in opposite pairs; odd numbers are rounded up.
        learning_rate: Initial learning rate of Adam, in standard deviations of q; it falls linearly to zero.
        batch_size: Number of examples per batch.
        seed: An int or an int32 tensor `[2]`.

    Returns:
        `InferenceGaps`.

    Raises:
        ValueError: If a count is too small, the posterior is not normal, the latents are not a vector of floats, there
            are no examples, or the data do not fit the model.

    Numerics:
        The ELBOs are mean log weights (estimator A), which have no variance if q is the exact posterior, and the
        refinement follows the path derivative, which is zero there. The gaps of an exact encoder are therefore zero up
        to rounding. The diagonal refinement of an encoder with full covariance starts from the nearest diagonal normal
        in KL; the full refinement of a diagonal encoder starts from the result of the diagonal one. A start that is
        tens of nats off may need more steps or a larger learning rate; an incomplete refinement counts as approximation
        gap, not as amortisation gap. The estimate of log p(x) is biased downwards, like 1/K, and so are the
        approximation gaps.

    References:
        Cremer, Li & Duvenaud, Inference Suboptimality in Variational Autoencoders, 2018, arXiv 1801.03558, section 3.
    """
    require_vector(vae, "inference_gaps")
    k = whole_number(num_importance_samples, "num_importance_samples", at_least=2)
    refinement = _Refinement(
        whole_number(num_steps, "num_steps", at_least=0),
        (whole_number(num_step_samples, "num_step_samples") + 1) // 2,
        float(number(learning_rate, "learning_rate", above=0)),
    )
    num_samples = whole_number(num_samples, "num_samples", at_least=2)
    measure, seed = compiled(vae, refinement), stateless_seed(seed)
    family: Literal["diagonal", "full"] = "diagonal"
    parts, first = [], 0
    observed: list[np.ndarray] = []
    for i, x in enumerate(batches_of_examples(vae, data, batch_size)):
        family = _family(_normal(vae.infer(rows_of(x, slice(1)))))
        parts.append(measure(x, (num_samples, k), fold_in(seed, i)))
        require_finite(vae, parts[-1][0]["elbo"].numpy(), first, "The ELBO", x)
        require_finite(vae, parts[-1][2].numpy().max(axis=1), first, x=x)
        first += size_of(x)
        observed += num_observed(x)
    mean, variance = (
        {name: np.concatenate([part[kind][name] for part in parts]) for name in parts[0][kind]} for kind in (0, 1)
    )
    about = {"num_samples": num_samples, "num_steps": num_steps, "exact": False}
    marginal = _log_marginal(np.concatenate([part[2] for part in parts]), details_of(observed))
    refined = {name: Record(name, "nats", mean[name], variance[name], about) for name in mean}

    def approximation_gap(name: str, of: Record) -> Record:
        # Two independent estimates: their variances add.
        spread = marginal.monte_carlo_variance + of.monte_carlo_variance
        return Record(name, "nats", marginal.per_example - of.per_example, spread, {**about, "of": of.name})

    return InferenceGaps(
        family=family,
        log_marginal=marginal,
        approximation_gap=approximation_gap("approximation_gap", refined[f"elbo_refined_{family}"]),
        approximation_gap_full=approximation_gap("approximation_gap_full", refined["elbo_refined_full"]),
        **refined,
    )


@dataclasses.dataclass(frozen=True)
class _Refinement:
    """Refines q(z|x) and measures the ELBOs; equal settings share a trace."""

    num_steps: int
    num_pairs: int
    learning_rate: float

    def __call__(
        self, vae: VAE, x: Tensor | Batch, numbers: tuple[Tensor, Tensor], seed: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
        """Returns bounds `[B]` by name, their sampling variances, and log weights `[B, K]` of the refined normal."""
        num_samples, num_importance_samples = numbers
        problem = vae.problem(x)
        posterior = _normal(problem.posterior)
        seed_diagonal, seed_full, seed_fresh, seed_marginal = split_seed(seed, 4, "refinement")

        def log_joint(z: Tensor) -> Tensor:
            return problem.generate(z).log_prob(problem.x) + problem.prior.log_prob(z)

        def refined(start: Normals, full: bool, seed: Tensor) -> Normals:
            return refine(
                log_joint,
                start,
                full=full,
                num_steps=self.num_steps,
                num_pairs=self.num_pairs,
                learning_rate=self.learning_rate,
                seed=seed,
            )

        own = _parameters(posterior)
        is_full = _family(posterior) == "full"
        diagonal = refined(_nearest_diagonal(own) if is_full else own, False, seed_diagonal)
        full = refined(own if is_full else diagonal, True, seed_full)
        all_three = Normals(*(tf.stack(parts) for parts in zip(own, diagonal, full, strict=True)))  # [3, B, ...]

        def draw(seed: Tensor) -> dict[str, Tensor]:
            noise = tf.random.stateless_normal(tf.shape(own.loc), seed, dtype=own.loc.dtype)
            z = all_three.loc + tf.linalg.matvec(all_three.scale_tril, noise)  # [3, B, D]
            bounds = log_joint(z) - _log_density(all_three.scale_tril, noise)  # [3, B]
            return {
                "elbo": bounds[0],
                "elbo_refined_diagonal": bounds[1],
                "elbo_refined_full": bounds[2],
                "amortization_gap": bounds[2 if is_full else 1] - bounds[0],
            }

        mean, variance = moments_over_draws(draw, num_samples, seed_fresh)
        log_weights = importance_log_weights(
            tfd.MultivariateNormalTriL(full.loc, full.scale_tril),
            log_joint,
            num_importance_samples=num_importance_samples,
            seed=seed_marginal,
        )
        return mean, variance, log_weights


def _log_marginal(log_weights: np.ndarray, details: dict[str, np.ndarray]) -> Record:
    """Creates a record as `tfvae.evaluation.log_marginal` does, from log weights `[N, K]`."""
    k = log_weights.shape[1]
    estimate = logsumexp(log_weights, axis=1) - np.log(k)
    effective = np.exp(2.0 * logsumexp(log_weights, axis=1) - logsumexp(2.0 * log_weights, axis=1))
    num_largest = tail_size(k) + 1 if tail_size(k) else 0
    shapes = pareto_k(-np.sort(-log_weights, axis=1)[:, :num_largest])
    return Record(
        name="log_marginal",
        unit="nats",
        per_example=estimate,
        # Delta method: Var[log mean w] = Var[w] / (K E[w]^2) = 1/ESS - 1/K.
        monte_carlo_variance=np.maximum(1.0 / effective - 1.0 / k, 0.0),
        diagnostics={
            "num_importance_samples": k,
            "effective_sample_size_median": float(np.median(effective)),
            "effective_sample_size_min": float(np.min(effective)),
            "pareto_k_max": float(np.max(shapes)) if np.isfinite(shapes).all() else None,
            "pareto_k_threshold": pareto_k_threshold(k),
            "num_above_threshold": int(np.sum(shapes > pareto_k_threshold(k))),
        },
        details={"effective_sample_size": effective, "pareto_k": shapes, **details},
    )


def _log_density(scale_tril: Tensor, noise: Tensor) -> Tensor:
    """Computes log q(z) of z = loc + scale_tril noise."""
    log_normal = tfd.Normal(tf.zeros([], noise.dtype), 1.0).log_prob(noise)
    log_volume = tf.math.log(tf.linalg.diag_part(scale_tril))
    return tf.reduce_sum(log_normal, axis=-1) - tf.reduce_sum(log_volume, axis=-1)


def _normal(posterior: Distribution) -> Distribution:
    try:
        return _multivariate_normal(posterior)
    except NotImplementedError as error:
        raise ValueError(
            "inference_gaps refines a normal q(z|x). Use an encoder that ends in MultivariateNormalDiag, "
            f"MultivariateNormalTriL or IndependentNormal. Received: posterior={posterior!r}"
        ) from error


def _family(posterior: Distribution) -> Literal["diagonal", "full"]:
    return "diagonal" if has_diagonal_scale(posterior) else "full"


def _parameters(posterior: Any) -> Normals:
    loc = posterior.mean()
    if _family(posterior) == "diagonal":
        return Normals(loc, tf.linalg.diag(posterior.stddev()))
    if isinstance(posterior.scale, tf.linalg.LinearOperatorLowerTriangular):
        return Normals(loc, posterior.scale.to_dense())
    return Normals(loc, tf.linalg.cholesky(posterior.covariance()))


def _nearest_diagonal(own: Normals) -> Normals:
    """Returns the diagonal normal nearest in KL to a normal, which has the same diagonal of the precision."""
    identity = tf.eye(own.loc.shape[-1], batch_shape=tf.shape(own.loc)[:1], dtype=own.loc.dtype)
    inverse = tf.linalg.triangular_solve(own.scale_tril, identity, lower=True)  # [B, D, D]
    precision = tf.reduce_sum(inverse**2, axis=-2)  # the diagonal of inverse^T inverse
    return Normals(own.loc, tf.linalg.diag(tf.math.rsqrt(precision)))
