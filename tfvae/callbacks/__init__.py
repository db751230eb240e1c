"""Callbacks: TensorBoard views of a VAE, schedules of beta, and a stop at the first loss that is not finite."""

from tfvae import _backend as _backend
from tfvae.callbacks.beta_schedule import BetaSchedule
from tfvae.callbacks.schedules import Constant, Cyclical, LinearWarmUp, Schedule
from tfvae.callbacks.vae_tensorboard import VAETensorBoard
from tfvae.models._stop_on_non_finite import NonFiniteLossError, StopOnNonFinite

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
