"""What is usual among the examples of a run, measured once and kept in its folder."""

import hashlib
import io
import zipfile
from typing import NamedTuple

import numpy as np

from tfvae._files import write_bytes
from tfvae.evaluation import ScoreReference, score_reference
from tfvae.training.evaluation_split import first_in_memory
from tfvae.training.load_data import load_data
from tfvae.training.run_data import RunData
from tfvae.training.saved_run import Run

_MAX_EXAMPLES = 10_000


class NamedReference(NamedTuple):
    """A reference and the name of its split, such as "adult/validation"."""

    name: str
    reference: ScoreReference


def reference_of_run(run: Run, num_importance_samples: int) -> NamedReference:
    """Returns what is usual among the validation examples of a run, at most 10,000.

    Training examples would not do: a model gives them higher likelihoods than others like them. The result is kept in
    the run folder, and measured again if the weights of the model or the number of draws differ.

    Args:
        run: The run.
        num_importance_samples: K of `tfvae.evaluation.score`.

    Raises:
        DataError: If it is not in the folder, and the data of the run cannot be loaded.
    """
    key = _key(run, num_importance_samples)
    kept = _kept(run, key)
    if kept is not None:
        return kept
    data = RunData(run.config, load_data(run.config))
    examples = first_in_memory(data.validation, min(len(data.validation), _MAX_EXAMPLES))
    found = score_reference(run.vae, examples, num_importance_samples=num_importance_samples)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        allow_pickle=False,
        key=np.array(key),
        name=np.array(data.validation_name),
        surprise=found.surprise,
        usual=found.usual,
        usual_of_latents=found.usual_of_latents,
    )
    write_bytes(run.folder.score_reference, buffer.getvalue())
    return NamedReference(data.validation_name, found)


def _kept(run: Run, key: str) -> NamedReference | None:
    """Returns the reference in the run folder. None if it is missing, damaged or of another model."""
    try:
        with np.load(run.folder.score_reference, allow_pickle=False) as file:
            if str(file["key"]) != key:
                return None
            found = ScoreReference(file["surprise"], file["usual"], float(file["usual_of_latents"]))
            return NamedReference(str(file["name"]), found)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _key(run: Run, num_importance_samples: int) -> str:
    digest = hashlib.sha256(f"{num_importance_samples} {run.config.data}".encode())
    for weight in run.vae.weights:
        digest.update(np.ascontiguousarray(weight.numpy()).tobytes())
    return digest.hexdigest()
