"""The transition of annealed importance sampling: HMC, with a step size for each step along the path."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.typing import Tensor

# The acceptance rate that step sizes adapt to, and the rate of adaptation of their logarithms.
_TARGET_ACCEPTANCE, _RATE = 0.65, 0.2
_FIRST_STEP_SIZE = 0.2


class AnnealedResults(NamedTuple):
    """State of the transition.

    Attributes:
        inner_results: Results of the Metropolis-Hastings step, where TFP expects the log-probabilities.
        step: Number of steps made so far.
        step_size: Step size of the next step `[B]`, if it adapts.
        step_sizes: Step sizes of the steps made so far `[T, B]`.
        acceptance: The sum over steps of the mean acceptance probability `[B]`.
    """

    inner_results: Any
    step: Tensor
    step_size: Tensor
    step_sizes: Tensor
    acceptance: Tensor


class AnnealedHMC(tfp.mcmc.TransitionKernel):
    """One HMC step that leaves the target distribution of this step of the path invariant.

    `tfp.mcmc.sample_annealed_importance_chain` passes the log-probability and gradient of the previous step to the next
    one, although its target is different. A Metropolis test with these values leaves neither target invariant and
    biases the estimate. Both are therefore recomputed here, at the cost of one more gradient per step.

    Args:
        target_log_prob_fn: Function from z `[C, B, D]` to the log-density of this step `[C, B]`.
        num_leapfrog_steps: Number of leapfrog steps of each HMC step.
        step_sizes: Step sizes `[T, B]`; with `adapt`, only the shape is used.
        adapt: Whether step sizes adapt to the acceptance rate. The steps then depend on each other, and the run serves
            only to find `step_sizes`.
    """

    def __init__(
        self,
        target_log_prob_fn: Callable[[Tensor], Tensor],
        *,
        num_leapfrog_steps: Tensor,
        step_sizes: Tensor,
        adapt: bool,
    ):
        self._target_log_prob_fn, self._num_leapfrog_steps = target_log_prob_fn, num_leapfrog_steps
        self._step_sizes, self._adapt = step_sizes, adapt

    @property
    def is_calibrated(self) -> bool:
        return True

    def _hmc(self, step_size: Tensor) -> tfp.mcmc.TransitionKernel:
        return tfp.mcmc.HamiltonianMonteCarlo(
            self._target_log_prob_fn, step_size=step_size[:, tf.newaxis], num_leapfrog_steps=self._num_leapfrog_steps
        )

    def bootstrap_results(self, init_state: Tensor) -> AnnealedResults:
        first = tf.fill(tf.shape(self._step_sizes)[1:], tf.constant(_FIRST_STEP_SIZE, init_state.dtype))
        return AnnealedResults(
            self._hmc(first).bootstrap_results(init_state),
            tf.constant(0),
            first,
            self._step_sizes,
            tf.zeros_like(first),
        )

    def one_step(
        self, current_state: Tensor, previous_kernel_results: AnnealedResults, seed: Tensor | None = None
    ) -> tuple[Tensor, AnnealedResults]:
        previous, step = previous_kernel_results, previous_kernel_results.step
        step_size = previous.step_size if self._adapt else self._step_sizes[step]
        hmc = self._hmc(step_size)
        state, results = hmc.one_step(current_state, hmc.bootstrap_results(current_state), seed=seed)
        acceptance = tf.reduce_mean(tf.exp(tf.minimum(results.log_accept_ratio, 0.0)), axis=0)  # [B]
        step_sizes, next_size = previous.step_sizes, previous.step_size
        if self._adapt:
            step_sizes = tf.tensor_scatter_nd_update(step_sizes, [[step]], step_size[tf.newaxis])
            next_size = step_size * tf.exp(_RATE * (acceptance - _TARGET_ACCEPTANCE))
        return state, AnnealedResults(results, step + 1, next_size, step_sizes, previous.acceptance + acceptance)


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

    Args:
        z: Draws of the proposal `[C, B, D]`.
        proposal_log_prob_fn: Function from z to `[C, B]`.
        target_log_prob_fn: Function from z to `[C, B]`.
        num_steps: T, scalar.
        num_leapfrog_steps: Number of leapfrog steps of each step, a scalar.
        step_sizes: Step sizes `[T, B]`; None adapts them and returns them in the results.
        seed: An int32 tensor `[2]`.
    """
    adapt = step_sizes is None
    if step_sizes is None:
        step_sizes = tf.zeros([num_steps, tf.shape(z)[1]], z.dtype)

    def kernel(log_prob: Callable[[Tensor], Tensor]) -> AnnealedHMC:
        return AnnealedHMC(log_prob, num_leapfrog_steps=num_leapfrog_steps, step_sizes=step_sizes, adapt=adapt)

    _, log_weights, results = tfp.mcmc.sample_annealed_importance_chain(
        num_steps=num_steps,
        proposal_log_prob_fn=proposal_log_prob_fn,
        target_log_prob_fn=target_log_prob_fn,
        current_state=z,
        make_kernel_fn=kernel,
        parallel_iterations=1,
        seed=seed,
    )
    return log_weights, results.inner_results
