"""Manifest of an exported model: a file with its description and the checksums of all other files."""

import hashlib
import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from tfvae._errors import quoted, reading, shortened
from tfvae._files import write_bytes, write_json, write_text
from tfvae._version import __version__

MANIFEST = Path("assets.extra") / "tfvae.json"  # TensorFlow Serving allows other files in this folder
CONVERTED_MANIFEST = Path("tfvae.json")
CARD = "MODEL_CARD.md"
_FORMAT = 1
_CHUNK = 2**20


def write_manifest(folder: Path, content: Mapping[str, Any], name: Path = MANIFEST) -> None:
    """Writes the manifest of a complete model: `content`, the version of tfvae, and SHA-256 of each file and itself."""
    files = {str(path.relative_to(folder).as_posix()): _sha256(path) for path in _files(folder)}
    whole = {"format": _FORMAT, "tfvae": __version__, **content, "files": files}
    write_json(folder / name, {**whole, "checksum": _checksum(whole)})


def read_manifest(path: str | PathLike[str]) -> dict[str, Any] | None:
    """Reads the manifest of an exported model. Returns None for models of earlier versions, which have none.

    Args:
        path: Folder written by `save`, `save_litert` or `save_onnx`.

    Returns:
        A dictionary with `tfvae` (the version), `event_shape`, `latent_shape`, `dtype` (of the model in Python, while
        the signatures are float32), `signatures` (by name, the shapes of `inputs` and `outputs`, with None for any
        length), `support`, if the model has them `condition_shape`, `labels` (the `part` of z and `num_classes`),
        `missing`, and `latent_dtype` of a z of one part, for the model of a run `source` (SHA-256 of its Keras file),
        `about` (the argument of `save`; for a run its data, their preprocessing, and its bounds), `files`
        (SHA-256 by name) and, for a run, `card`, the text of its model card. For LiteRT and ONNX files it also has
        `measured`, the deviations from the model.

    Raises:
        ValueError: If the manifest is damaged, has been changed, or was written by a later version.
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
            f"{file} has format {quoted(content.get('format'))}, but tfvae {__version__} reads only format "
            f"{_FORMAT}. Use tfvae {shortened(str(content.get('tfvae')))}, or export the model again."
        )
    if content.pop("checksum", None) != _checksum(content):
        raise ValueError(f"{file} has been changed since it was written. Use another copy, or export the model again.")
    return content


def write_about(path: str | PathLike[str], about: Mapping[str, Any]) -> None:
    """Replaces the entry `about` in the manifest of an exported model, without a change to the model.

    Raises:
        ValueError: If the manifest is missing or damaged.
    """
    _change(path, {"about": dict(about)})


def write_source(path: str | PathLike[str], model: Path) -> None:
    """Adds the checksum of the Keras file with the same model, which tells later whether it is still the same.

    Raises:
        ValueError: If the manifest is missing or damaged.
    """
    _change(path, {"source": {model.name: _sha256(model)}})


def is_of_source(manifest: Mapping[str, Any], model: Path) -> bool:
    """Whether a Keras file is the one that `write_source` was given. False for models without a source."""
    checksum = manifest.get("source", {}).get(model.name)
    return checksum is not None and model.is_file() and checksum == _sha256(model)


def write_card(path: str | PathLike[str], card: str, figures: Mapping[str, bytes]) -> Path:
    """Adds a model card to an exported model, or replaces it. The manifest gets its text and the checksums.

    Args:
        path: Folder of an exported model.
        card: The card, as Markdown.
        figures: PNG files by name, which the card shows as `figures/NAME.png`.

    Returns:
        The path of the card.

    Raises:
        ValueError: If the manifest is missing or damaged.
    """
    folder = (Path(path) / _manifest_name(path)).parent
    content = read_manifest(path)
    written = [write_bytes(folder / "figures" / f"{name}.png", figure) for name, figure in figures.items()]
    written.append(write_text(folder / CARD, card))
    files = {file.relative_to(path).as_posix(): _sha256(file) for file in written}
    _change(path, {"card": card, "files": {**(content or {}).get("files", {}), **files}})
    return folder / CARD


def _change(path: str | PathLike[str], entries: Mapping[str, Any]) -> None:
    content = read_manifest(path)
    if content is None:
        raise ValueError(f"`path` must be the folder of a model exported by tfvae. Received: path={str(path)!r}")
    whole = {**content, **entries}
    write_json(Path(path) / _manifest_name(path), {**whole, "checksum": _checksum(whole)})


def _manifest_name(path: str | PathLike[str]) -> Path:
    return MANIFEST if (Path(path) / MANIFEST).is_file() else CONVERTED_MANIFEST


def check_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Raises ValueError with the name of a file that is missing or has been changed."""
    for name, checksum in manifest["files"].items():
        path = folder / name
        state = None if not path.is_file() else _sha256(path)
        if state != checksum:
            found = "is missing" if state is None else "has a wrong checksum"
            raise ValueError(
                f"The exported model at {folder} is damaged or incomplete: {name} {found}. Use another copy, or export "
                "the model again with tfvae.export.save(vae, path, overwrite=True)."
            )


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST.name)


def _checksum(content: Mapping[str, Any]) -> str:
    """Returns the SHA-256 of the content of a manifest, independent of its formatting."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
