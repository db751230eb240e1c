"""Annealed importance sampling: chains of HMC steps, with a step size for each step along the path."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.typing import Tensor

# The acceptance rate that step sizes adapt to, and the rate of adaptation of their logarithms.
_TARGET_ACCEPTANCE, _RATE = 0.65, 0.2
_FIRST_STEP_SIZE = 0.2


class AnnealedResults(NamedTuple):
    """What a run tells about its steps.

    Attributes:
        step_sizes: Step sizes of the steps `[T, B]`.
        acceptance: The sum over steps of the mean acceptance probability `[B]`.
    """

    step_sizes: Tensor
    acceptance: Tensor


def annealed_weights(
    z: Tensor,
    proposal_log_prob_fn: Callable[[Tensor], Tensor],
    target_log_prob_fn: Callable[[Tensor], Tensor],
    *,
    num_steps: Tensor,
    num_leapfrog_steps: Tensor,
    step_sizes: Tensor | None,
    seed: Tensor,
) -> tuple[Tensor, AnnealedResults]:
    """Computes log weights `[C, B]` of chains from proposal to target, whose mean weight is the ratio of normalisers.

    Step s = 1 ... T adds (log target - log proposal) / T to the log weights, and then makes one HMC step that leaves
    proposal^(1 - s/T) target^(s/T) invariant. The draws are those of `tfp.mcmc.sample_annealed_importance_chain`, which
    passes the log-probability and gradient of the previous step to the next one, although its target is different. A
    Metropolis test with these values leaves neither target invariant and biases the estimate. Here both are computed
    once for each state and step, together with the two densities of the weight.

    Args:
        z: Draws of the proposal `[C, B, D]`.
        proposal_log_prob_fn: Function from z to `[C, B]`.
        target_log_prob_fn: Function from z to `[C, B]`.
        num_steps: T, scalar.
        num_leapfrog_steps: Number of leapfrog steps of each step, a scalar.
        step_sizes: Step sizes `[T, B]`; None adapts them to the acceptance rate and returns them in the results. The
            steps then depend on each other, and the run serves only to find the step sizes.
        seed: An int32 tensor `[2]`.

    References:
        Neal, Annealed Importance Sampling, 1998, arXiv physics/9803008, equation 4.
    """
    adapt, num_examples = step_sizes is None, tf.shape(z)[1]
    if step_sizes is None:
        step_sizes = tf.zeros([num_steps, num_examples], z.dtype)

    def one_step(
        step: Tensor, seed: Tensor, log_weights: Tensor, z: Tensor, next_size: Tensor, results: AnnealedResults
    ) -> tuple[Tensor | AnnealedResults, ...]:
        seed_step, seed = tfp.random.split_seed(seed, salt="ais_chain.seeded_one_step")
        ends: list[tuple[Tensor, Tensor]] = []  # at each z that was evaluated

        def log_prob(z: Tensor) -> Tensor:
            start, end = proposal_log_prob_fn(z), target_log_prob_fn(z)
            ends.append((start, end))
            share = tf.cast(step + 1, end.dtype) / tf.cast(num_steps, end.dtype)
            return share * end + (1.0 - share) * start

        step_sizes = results.step_sizes
        step_size = next_size if adapt else step_sizes[step]  # [B]
        hmc = tfp.mcmc.HamiltonianMonteCarlo(
            log_prob, step_size=step_size[:, tf.newaxis], num_leapfrog_steps=num_leapfrog_steps
        )
        state = hmc.bootstrap_results(z)
        start, end = ends[0]  # at the present z
        log_weights += (end - start) / tf.cast(num_steps, log_weights.dtype)
        z, state = hmc.one_step(z, state, seed=seed_step)
        acceptance = tf.reduce_mean(tf.exp(tf.minimum(state.log_accept_ratio, 0.0)), axis=0)  # [B]
        if adapt:
            step_sizes = tf.tensor_scatter_nd_update(step_sizes, [[step]], step_size[tf.newaxis])
            next_size = step_size * tf.exp(_RATE * (acceptance - _TARGET_ACCEPTANCE))
        results = AnnealedResults(step_sizes, results.acceptance + acceptance)
        return step + 1, seed, log_weights, z, next_size, results

    first_size = tf.fill([num_examples], tf.constant(_FIRST_STEP_SIZE, z.dtype))
    _, _, log_weights, _, _, results = tf.while_loop(
        lambda step, *_: step < num_steps,
        one_step,
        (
            tf.constant(0),
            tfp.random.sanitize_seed(seed, salt="mcmc.sample_ais_chain"),
            tf.zeros(tf.shape(z)[:2], z.dtype),
            z,
            first_size,
            AnnealedResults(step_sizes, tf.zeros_like(first_size)),
        ),
        parallel_iterations=1,
    )
    return log_weights, results
