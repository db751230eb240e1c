"""Configuration files of TensorFlow Serving for a folder of exported models."""

import json
from os import PathLike
from pathlib import Path

from tfvae._files import write_text
from tfvae.export.folders import MODEL_FILE

_BATCHING = """max_batch_size { value: 128 }
batch_timeout_micros { value: 1000 }
max_enqueued_batches { value: 100 }
num_batch_threads { value: 2 }
"""


def save_serving_config(folder: str | PathLike[str], *, base_path: str = "/models") -> Path:
    """Writes `models.config` and `batching.config` for all models `NAME/VERSION` in a folder.

    Pass the first file to the server with `--model_config_file`. The second one, with `--enable_batching` and
    `--batching_parameters_file`, is only for the signatures `serving_default`, `posterior`, `likelihood` and
    `classify`: TensorFlow Serving concatenates requests along the first axis of every input, so each example needs a
    condition of its own. It refuses the other signatures, whose `seed` has no such axis.

    Args:
        folder: Folder of models, each of which is a folder of numbered versions.
        base_path: Path of this folder on the server.

    Returns:
        The path of `models.config`.

    Raises:
        ValueError: If there is no model in the folder.
    """
    place = Path(folder)
    names = sorted({path.parent.parent.name for path in place.glob(f"*/*/{MODEL_FILE}") if _is_version(path.parent)})
    if not names:
        raise ValueError(
            f"`folder` must contain models NAME/VERSION, because TensorFlow Serving serves only numbered versions. "
            f"Write one with tfvae.export.save(vae, {str(place / 'digits' / '1')!r}). Received: folder={str(place)!r}"
        )
    entries = "".join(
        "  config {\n"
        f"    name: {json.dumps(name)}\n"
        f"    base_path: {json.dumps(f'{base_path}/{name}')}\n"
        '    model_platform: "tensorflow"\n'
        "  }\n"
        for name in names
    )
    write_text(place / "batching.config", _BATCHING)
    return write_text(place / "models.config", f"model_config_list {{\n{entries}}}\n")


def _is_version(folder: Path) -> bool:
    return folder.name.isdecimal()
