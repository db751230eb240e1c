"""Training in passes over the images, with a learning rate that falls to a small value."""

from collections.abc import Callable
from typing import Any

import keras

from tfvae.models import VAE
from tfvae.papers.scheduled_learner import ScheduledLearner

BATCH_SIZE, NUM_LABELLED = 200, 50
LAST_SHARE = 0.02  # of the learning rate
_SEED_STRIDE = 1_000_003


class Passes(ScheduledLearner):
    """Learner that trains a model with the batches of each stretch of passes.

    Args:
        vae: Model with its initial weights. It is compiled here.
        batches: Function of a number of passes and a seed that makes the batches of these passes, and returns them
            with the number of epochs to train on them.
        num_examples: Number of examples of one pass.
        num_passes: Number of all passes.
        steps_per_pass: Number of steps of one pass.
        learning_rate: First learning rate of Adam, which falls as a cosine.
        seed: Random seed.
    """

    def __init__(
        self,
        vae: VAE,
        batches: Callable[[int, int], tuple[Any, int]],
        *,
        num_examples: int,
        num_passes: int,
        steps_per_pass: int,
        learning_rate: float,
        seed: int,
    ):
        rate = keras.optimizers.schedules.CosineDecay(learning_rate, num_passes * steps_per_pass, alpha=LAST_SHARE)
        vae.compile(keras.optimizers.Adam(rate))
        super().__init__(vae)
        self._batches, self._num_examples, self._seed = batches, num_examples, seed

    def advance(self, num_samples: int) -> None:
        seed = _SEED_STRIDE * self._seed + int(self.vae.num_updates)  # of this stretch
        batches, epochs = self._batches(num_samples // self._num_examples, seed)
        self.vae.fit(batches, epochs=epochs, verbose=0)
