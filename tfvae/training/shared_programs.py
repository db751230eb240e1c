"""Programs that runs of the same structure share within a process."""

import json
import re
from os import PathLike
from pathlib import Path
from typing import Any

import keras

from tfvae import export
from tfvae.export.saving import Exporter
from tfvae.models import VAE

# Keras numbers the names of objects within a process. The other names of a model are those of its parts.
_NUMBER = re.compile(r"_\d+$")
_VARIABLES = ("beta", "seed")  # of a VAE; the first is the initial value of a variable


class SharedPrograms:
    """Gives all runs of a process one model, so that its programs are traced and compiled once.

    Training, pictures, evaluation and export run compiled programs that read variables. A run with another seed,
    learning rate or beta needs no other programs, only other values of the variables. For a small model, starting
    TensorFlow and compiling take longer than training.

    The members of such a group run one after the other, with the operations of single runs, so each is the run that it
    would be alone, bit for bit. On a CPU this is faster than batched products of all members: see
    docs/decisions/0017-seeds-in-one-process.md.
    """

    def __init__(self) -> None:
        self._vae: VAE | None = None
        self._exporter: Exporter | None = None

    def model(self, vae: VAE) -> VAE:
        """Returns the model of the process with the state of a compiled model that was built or loaded.

        The first model becomes that of the process.

        Raises:
            OtherStructureError: If the two differ in more than the values of variables and the seed.
        """
        if self._vae is None:
            self._vae = vae
        elif self._vae is not vae:
            if _structure_of(vae) != _structure_of(self._vae):
                raise OtherStructureError(f"The model of the process has another structure than '{vae.name}'.")
            for own, other in zip(self._vae.training_variables(), vae.training_variables(), strict=True):
                own.assign(other)
            self._vae.seed, self._vae.initial_beta = vae.seed, vae.initial_beta
            self._vae.stop_training = False
        return self._vae

    def export(self, vae: VAE, path: str | PathLike[str]) -> Path:
        """Exports a model to a SavedModel, replacing one in its place."""
        if vae is not self._vae:
            return export.save(vae, path, overwrite=True)
        self._exporter = self._exporter or Exporter(vae)
        return self._exporter.save(path, overwrite=True)


class OtherStructureError(Exception):
    """Error for a run whose model cannot share the programs of the earlier runs of a process."""


def _structure_of(vae: VAE) -> Any:
    """Returns a description of a compiled model without what its variables contain."""
    described = keras.saving.serialize_keras_object(vae)
    for name in _VARIABLES:
        if isinstance(described["config"][name], int | float | None):
            del described["config"][name]
    shapes = [(tuple(variable.shape), str(variable.dtype)) for variable in vae.training_variables()]
    return _without_numbers(json.loads(json.dumps([described, shapes], default=str)))


def _without_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _NUMBER.sub("", each) if key == "name" and isinstance(each, str) else _without_numbers(each)
            for key, each in value.items()
            if key not in ("shared_object_id", "build_config") and not (key == "learning_rate" and _is_number(each))
        }
    return [_without_numbers(each) for each in value] if isinstance(value, list) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)
