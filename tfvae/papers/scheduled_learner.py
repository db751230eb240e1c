"""Learner whose compiled model has a schedule of the learning rate."""

import abc
from pathlib import Path
from typing import Literal

from tfvae.data import Split
from tfvae.models import VAE, load_model

_FILE = "vae.keras"
_SEED_STRIDE = 10_000  # larger than the number of passes


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


class PassesLearner(ScheduledLearner):
    """Learner that trains by whole passes over shuffled examples, without a last partial batch.

    Args:
        vae: Compiled model with its initial weights.
        train: Training set.
        batch_size: Size of the minibatches.
        seed: Seed of the order and the binarisation of the examples, which each call of `advance` draws again.
        binarize: See `Split.batches`.
    """

    def __init__(
        self,
        vae: VAE,
        train: Split,
        *,
        batch_size: int,
        seed: int,
        binarize: Literal["dynamic", "static"] | None = None,
    ):
        super().__init__(vae)
        self._train, self._batch_size, self._seed, self._binarize = train, batch_size, seed, binarize
        self._steps_per_pass = len(train) // batch_size

    def advance(self, num_samples: int) -> None:
        done = self.vae.num_updates // self._steps_per_pass
        seed = _SEED_STRIDE * self._seed + done  # seed of this stretch
        batches = self._train.batches(
            self._batch_size, shuffle=True, binarize=self._binarize, seed=seed, drop_remainder=True
        )
        epochs = num_samples // len(self._train)
        self.vae.fit(batches.repeat(), epochs=epochs, steps_per_epoch=self._steps_per_pass, verbose=0)
