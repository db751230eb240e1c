"""Keras' `save`, for a model with random states that a file should keep."""

import os
from typing import Any

from tfvae._files import replacing
from tfvae._serialization import (
    load_layers_seed_states,
    load_seed_state,
    save_layers_seed_states,
    save_seed_state,
)
from tfvae.models._trained_model import TrainedModel
from tfvae.models.check_saving import check_saving


class SavedModel(TrainedModel):
    """A Keras model that is saved whole, with its random states, or not at all.

    Args:
        **kwargs: Arguments of `keras.Model`.
    """

    def save(self, filepath: Any, overwrite: bool = True, **kwargs: Any) -> None:
        """As `keras.Model.save`, to a `.keras` file; a file that is there stays until the new one is complete.

        Raises:
            ValueError: When the path does not end in `.keras`, or the file would not give this model back
                (`tfvae.models.check_saving`).
        """
        if not str(filepath).endswith(".keras"):
            raise ValueError(
                "A VAE is saved as a `.keras` file, which `tfvae.load_model` reads. Use a path that ends in `.keras`. "
                "`save_weights` writes a `.weights.h5` file, and `tfvae.export.save` a SavedModel folder. "
                f"Received: filepath={filepath!r}"
            )
        if not overwrite and os.path.exists(filepath):
            super().save(filepath, overwrite=overwrite, **kwargs)  # Keras asks
            return
        with replacing(filepath) as beside:
            super().save(beside, **kwargs)

    def get_build_config(self) -> dict[str, Any] | None:
        check_saving(self)  # Keras asks for it when it writes a file, whichever function writes it
        return super().get_build_config()

    def save_own_variables(self, store: Any) -> None:
        super().save_own_variables(store)
        save_seed_state(self.seed_generator, store)
        save_layers_seed_states(self, store)

    def load_own_variables(self, store: Any) -> None:
        super().load_own_variables(load_layers_seed_states(self, load_seed_state(self.seed_generator, store)))
