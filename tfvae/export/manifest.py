"""What an exported model is, in a file beside it, with checksums of all others."""

import hashlib
import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from tfvae._errors import quoted, reading, shortened
from tfvae._files import write_json
from tfvae._version import __version__

MANIFEST = Path("assets.extra") / "tfvae.json"  # the place where TensorFlow Serving lets others put files
CONVERTED_MANIFEST = Path("tfvae.json")
_FORMAT = 1
_CHUNK = 2**20


def write_manifest(folder: Path, content: Mapping[str, Any], name: Path = MANIFEST) -> None:
    """Writes the manifest of a complete model: `content`, tfvae's version, a SHA-256 of each file and of itself."""
    files = {str(path.relative_to(folder).as_posix()): _sha256(path) for path in _files(folder)}
    whole = {"format": _FORMAT, "tfvae": __version__, **content, "files": files}
    write_json(folder / name, {**whole, "checksum": _checksum(whole)})


def read_manifest(path: str | PathLike[str]) -> dict[str, Any] | None:
    """What a model says of itself; None for a model exported by an earlier version, which does not.

    Args:
        path: the folder of an exported model, from `save`, `save_litert` or `save_onnx`.

    Returns:
        A dictionary with `tfvae` (the version), `event_shape`, `latent_shape`, `dtype` (of the model in Python; the
        signatures are float32), `signatures` (by name, the shapes of `inputs` and `outputs`, None for any length),
        `about` (what `save` was told: for a run its data, how x is made of them, and its bounds) and `files`
        (SHA-256 by name). LiteRT and ONNX files have `measured` too, their deviations from the model.

    Raises:
        ValueError: where the manifest itself is damaged or has been changed, or is of a later version.
    """
    places = [Path(path) / name for name in (MANIFEST, CONVERTED_MANIFEST)]
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        return None
    with reading(file, "Use another copy, or export the model again."):
        content = json.loads(file.read_text("utf-8"))
    if not isinstance(content, dict) or not isinstance(content.get("files"), dict) or not content["files"]:
        raise ValueError(f"{file} is damaged: it lists no files. Use another copy, or export the model again.")
    if content.get("format") != _FORMAT:
        raise ValueError(
            f"{file} is of format {quoted(content.get('format'))}, and this tfvae {__version__} reads format "
            f"{_FORMAT}. Use tfvae {shortened(str(content.get('tfvae')))}, or export the model again."
        )
    if content.pop("checksum", None) != _checksum(content):
        raise ValueError(f"{file} is not as it was written. Use another copy, or export the model again.")
    return content


def write_about(path: str | PathLike[str], about: Mapping[str, Any]) -> None:
    """Changes what the manifest of an exported model has under `about`; the model stays as it is.

    Raises:
        ValueError: where the manifest is damaged, or there is none.
    """
    content = read_manifest(path)
    if content is None:
        raise ValueError(f"{path} holds no model exported by tfvae. Expected the folder of one.")
    whole = {**content, "about": dict(about)}
    name = MANIFEST if (Path(path) / MANIFEST).is_file() else CONVERTED_MANIFEST
    write_json(Path(path) / name, {**whole, "checksum": _checksum(whole)})


def check_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Raises ValueError, with its name, for a file that is missing or not as it was written."""
    for name, checksum in manifest["files"].items():
        path = folder / name
        state = None if not path.is_file() else _sha256(path)
        if state != checksum:
            found = "is missing" if state is None else "is not as it was written: its checksum differs"
            raise ValueError(
                f"The exported model at {folder} is damaged or incomplete: {name} {found}. Use another copy, or export "
                "the model again with tfvae.export.save(vae, path, overwrite=True)."
            )


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST.name)


def _checksum(content: Mapping[str, Any]) -> str:
    """SHA-256 of what a manifest says, however it is laid out."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
