"""The Hamiltonian variational autoencoder: the ELBO of a posterior that follows the gradient of log p(x, z)."""

import dataclasses
from typing import Any, Literal

import keras
import tensorflow as tf

from tfvae._checks import number
from tfvae._seeds import split_seed
from tfvae._serialization import register
from tfvae.estimators._configured import Configured
from tfvae.estimators._hamiltonian_dynamics import HamiltonianDynamics
from tfvae.estimators._hamiltonian_posterior import HamiltonianPosterior
from tfvae.estimators._latents import require_reparameterized
from tfvae.estimators._leapfrog import slope_of
from tfvae.estimators._real_latents import require_real, require_tensor
from tfvae.estimators._with_momentum import WithMomentum
from tfvae.estimators.draws import Draws, mean_over_draws
from tfvae.estimators.estimate import Estimate
from tfvae.estimators.problem import Problem
from tfvae.typing import Distribution, Seed, Tensor


@register
@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class HamiltonianELBO(Configured):
    """The ELBO of the Hamiltonian variational autoencoder (HVAE), whose posterior is moved towards p(z|x).

    A draw z_0 ~ q(z|x) gets a momentum rho_0 ~ N(0, I / beta_0) and makes K leapfrog steps with the potential
    U(z) = -log p(x, z). Tempering scales the momentum after each step by alpha_k <= 1, with sqrt(beta_0) =
    prod_k alpha_k. The map of (z_0, rho_0) to (z_K, rho_K) has the determinant sqrt(beta_0)^D, so that

        log w = log p(x, z_K) + log N(rho_K; 0, I) - log q(z_0|x) - log N(rho_0; 0, I / beta_0) + D log sqrt(beta_0)

    is a log importance weight: E[w] = p(x), and the bound E[log w] is at most log p(x). The step sizes, one for each
    element of z, and beta_0 are trained with the model and saved with it. Prefer it if q(z|x) is too simple for the
    true posterior and there is time for K + 1 gradients of the decoder per draw. z must be one tensor of real numbers.

    The gradient is that of log w by reparameterisation, through the leapfrog steps and the gradients in them.
    `vae.encode` still returns q(z|x), the distribution of z_0. `with_proposal` returns that of (z_K, rho_K), which
    `tfvae.evaluation.log_marginal(vae, x, estimator=vae.estimator)` uses.

    The reported `log_likelihood` is that of z_K, and `kl` is the KL of (z_K, rho_K) from p(z) N(rho; 0, I).

    Args:
        num_steps: K, number of leapfrog steps.
        step_size: Initial step size.
        max_step_size: Upper bound of step sizes, above `step_size`.
        tempering: "fixed" (1 / sqrt(beta_k) falls quadratically from 1 / sqrt(beta_0) to 1, beta_0 is trained), "free"
            (each alpha_k is trained) or "none" (alpha_k = 1).
        temperature: Initial value of 1 / beta_0, above 1; for "none" without effect.
        trainable: Whether step sizes and tempering are trained.
        num_samples: S, number of draws of z per example.

    Raises:
        ValueError: If a number is out of range or `tempering` is unknown; in the constructor of the model, if z has
            several parts; when called, if the posterior is not reparameterised, or z is not a tensor of real numbers.

    References:
        Caterini, Doucet & Sejdinovic, Hamiltonian Variational Auto-Encoder, 2018, arXiv 1805.11328, section 3 and
        algorithm 1.
        Neal, Hamiltonian Importance Sampling, 2005.
    """

    num_steps: int = 3
    step_size: float = 0.1
    max_step_size: float = 0.5
    tempering: Literal["fixed", "free", "none"] = "fixed"
    temperature: float = 1.5
    trainable: bool = True
    num_samples: int = 1

    def __post_init__(self) -> None:
        self._check_counts("num_steps", "num_samples")
        self._set(max_step_size=number(self.max_step_size, "max_step_size", above=0))
        self._set(step_size=number(self.step_size, "step_size", above=0, below=self.max_step_size))
        self._set(temperature=number(self.temperature, "temperature", above=1))
        if self.tempering not in ("fixed", "free", "none"):
            raise ValueError(f"`tempering` must be 'fixed', 'free' or 'none'. Received: tempering={self.tempering!r}")
        if not isinstance(self.trainable, bool):
            raise ValueError(f"`trainable` must be True or False. Received: trainable={self.trainable!r}")
        dynamics = HamiltonianDynamics(
            self.num_steps,
            step_size=self.step_size,
            max_step_size=self.max_step_size,
            tempering=self.tempering,
            temperature=self.temperature,
            trainable=self.trainable,
        )
        self._set(_dynamics=dynamics)

    # Two estimators with the same arguments have weights of their own.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @property
    def layers(self) -> tuple[keras.layers.Layer, ...]:
        """The layer with the step sizes and the tempering."""
        return (self._dynamics,)  # type: ignore[attr-defined]

    def build(self, x_shape: tuple[int | None, ...], latent_shape: Any) -> None:
        """See `EstimatorWithBuild`."""
        shape = require_tensor(latent_shape, self)
        dynamics: Any = self.layers[0]
        if not dynamics.built:
            with tf.init_scope():
                dynamics.build(shape)
        elif dynamics.event_shape != shape:
            raise ValueError(
                f"The step sizes of this HamiltonianELBO are those of a model whose z has shape "
                f"{dynamics.event_shape}. Create another HamiltonianELBO for each model. "
                f"Received: latents of event_shape={shape}"
            )

    def with_proposal(self, problem: Problem, *, chunk_size: Tensor | int | None = None) -> Problem:
        """Returns the problem of u = (z, rho) `[..., 2, *event]`; see `EstimatorWithProposal`.

        Its posterior is the distribution of (z_K, rho_K), its prior p(z) N(rho; 0, I), and `generate` decodes z.
        """
        require_reparameterized(problem.posterior, self)
        self.build(tuple(problem.x.shape), problem.posterior.event_shape)
        require_real(problem.posterior, self)
        require_real(problem.prior, self)
        dynamics: Any = self.layers[0]
        dtype = problem.posterior.dtype
        posterior: Any = HamiltonianPosterior(
            problem.posterior,
            slope_of(problem),
            step_size=dynamics.step_size(dtype),
            factors=dynamics.factors(dtype),
            chunk_size=chunk_size,
        )
        prior: Any = WithMomentum(problem.prior)

        def generate(u: Tensor) -> Distribution:
            return problem.generate(prior.parts(u)[0])

        return problem._replace(posterior=posterior, prior=prior, generate=generate, infer=None)

    def __call__(self, problem: Problem, *, beta: Tensor | float = 1.0, seed: Seed = None) -> Estimate:
        """See `Estimator`."""
        problem.require_unobserved()
        (seed_u,) = split_seed(seed, 1, "hamiltonian_elbo")
        proposal: Any = self.with_proposal(problem)
        u, log_posterior, end = proposal.posterior.draw([self.num_samples], seed_u)
        _, rho = proposal.posterior.parts(u)
        log_prior = end.log_prior + proposal.prior.log_prob_of_momentum(rho)
        draws = Draws(end.log_likelihood, log_prior, log_posterior)  # [S, B]
        return Estimate(
            surrogate_loss=-mean_over_draws(draws.log_weights(beta)),
            bound=mean_over_draws(draws.log_weights()),
            log_likelihood=mean_over_draws(draws.log_likelihood),
            kl=mean_over_draws(draws.log_posterior - draws.log_prior),
        )
