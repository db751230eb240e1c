"""Learner whose compiled model has a schedule of the learning rate."""

import abc
from pathlib import Path

from tfvae.models import VAE, load_model

_FILE = "vae.keras"


class ScheduledLearner(abc.ABC):
    """What the `Learner`s of compiled models have in common. A subclass trains, in `advance`.

    Args:
        vae: Compiled model with its initial weights.
    """

    def __init__(self, vae: VAE):
        self.vae = vae
        vae.build_optimizer()

    def diagnostics(self) -> dict[str, float]:
        return {}

    def restart(self, learning_rate: float) -> None:
        raise NotImplementedError("The schedule determines the learning rate.")

    @abc.abstractmethod
    def advance(self, num_samples: int) -> None:
        """Trains on `num_samples` more samples."""

    def save(self, folder: Path) -> None:
        self.vae.save(folder / _FILE)

    def load(self, folder: Path) -> None:
        trained = load_model(folder / _FILE)
        for variable, saved in zip(self.vae.training_variables(), trained.training_variables(), strict=True):
            variable.assign(saved)
