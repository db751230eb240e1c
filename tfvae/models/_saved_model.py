"""`save` for a model whose random states belong into the file."""

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
    """Keras model that is saved completely, with its random states, or not at all.

    Args:
        **kwargs: Arguments of `keras.Model`.
    """

    def save(self, filepath: Any, overwrite: bool = True, **kwargs: Any) -> None:
        """Saves the model to a `.keras` file. An existing file is replaced when the new file is complete.

        Raises:
            ValueError: If the path does not end in `.keras`, or loading the file would give another model
                (`tfvae.models.check_saving`).
        """
        if not str(filepath).endswith(".keras"):
            raise ValueError(
                "`filepath` must end in `.keras`: `tfvae.load_model` reads such files. Use `save_weights` to write a "
                "`.weights.h5` file, and `tfvae.export.save` to write a SavedModel. "
                f"Received: filepath={filepath!r}"
            )
        if not overwrite and os.path.exists(filepath):
            super().save(filepath, overwrite=overwrite, **kwargs)  # Keras asks
            return
        with replacing(filepath) as beside:
            super().save(beside, **kwargs)

    def get_build_config(self) -> dict[str, Any] | None:
        check_saving(self)  # every function of Keras that writes a model calls `get_build_config`
        return super().get_build_config()

    def save_own_variables(self, store: Any) -> None:
        super().save_own_variables(store)
        save_seed_state(self.seed_generator, store)
        save_layers_seed_states(self, store)

    def load_own_variables(self, store: Any) -> None:
        super().load_own_variables(load_layers_seed_states(self, load_seed_state(self.seed_generator, store)))
