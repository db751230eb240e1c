"""Callbacks: what TensorBoard shows of a VAE, schedules of beta, and a stop at the first loss that is not a number."""

from tfvae import _backend as _backend
from tfvae.callbacks.beta_schedule import BetaSchedule
from tfvae.callbacks.schedules import Constant, Cyclical, LinearWarmUp, Schedule
from tfvae.callbacks.stop_on_non_finite import NonFiniteLossError, StopOnNonFinite
from tfvae.callbacks.vae_tensorboard import VAETensorBoard

__all__ = [
    "BetaSchedule",
    "Constant",
    "Cyclical",
    "LinearWarmUp",
    "NonFiniteLossError",
    "Schedule",
    "StopOnNonFinite",
    "VAETensorBoard",
]
