"""Folders of images: one folder, one folder a class, or the folders train, validation and test of these."""

import dataclasses
import functools
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfvae._errors import quoted
from tfvae._memory import require_memory
from tfvae.data.block import Block
from tfvae.data.classes import class_numbers
from tfvae.data.conditions import LABEL, one_hot
from tfvae.data.cutting import ALL, cut_off, require_enough, rows_of_splits
from tfvae.data.errors import DataError
from tfvae.data.shard_sources import ShardSource
from tfvae.data.sources.array_file import Form as ArrayForm
from tfvae.data.sources.image_files import SUFFIXES, Form, Header, common_form, read_header
from tfvae.data.sources.source import Request, Source
from tfvae.data.sources.unreadable import reporting_unreadable
from tfvae.data.split import Split
from tfvae.data.splits import Splits, make_splits

_SPLITS = {"train": "train", "validation": "validation", "valid": "validation", "val": "validation", "test": "test"}
_NUM_CHECKED = 1000
# Images that are read at a time for shards.
_PIECE = 64
# The largest value of 16-bit images below which they look black.
_DARK = 1 / 16

_log = logging.getLogger("tfvae")


@dataclasses.dataclass
class _Folder:
    """The images of a folder by split, in the order of their paths.

    Attributes:
        path: The folder.
        images: The images of each split; all are "train" if the folder has no splits of its own.
        classes: The name of the class of each image, for splits with one folder a class.
        left_out: Hidden files, and files that are no images.
        has_splits: Whether the folder has splits of its own.
    """

    path: Path
    images: dict[str, list[Path]] = dataclasses.field(default_factory=dict)
    classes: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    left_out: list[Path] = dataclasses.field(default_factory=list)
    has_splits: bool = False

    @classmethod
    def of(cls, path: Path) -> "_Folder":
        """Lists the images of a folder.

        Raises:
            DataError: If the folder has an unclear form.
        """
        found = cls(path)
        with reporting_unreadable(os.fspath(path)):
            files = sorted(_files(path))
        inside: dict[str, list[Path]] = {}  # the files in each folder, by its name; "" has those beside folders
        for file in files:
            parts = file.relative_to(path).parts
            inside.setdefault(parts[0] if len(parts) > 1 else "", []).append(file)
        with_images = [name for name in sorted(inside) if any(map(_is_image, inside[name]))]
        splits = [_SPLITS.get(name.lower(), "") for name in with_images]
        if not any(splits):
            found._add("train", path, files)
            return found
        if "train" not in splits or "" in splits or len(set(splits)) < len(splits):
            raise DataError(
                f"{path} has folders of splits, and others or not one for each. Expected `train`, optionally "
                "`validation` (or `valid`, `val`) and `test`, and no other images. Rename or move the others. "
                f"Received: {quoted(with_images)}"
            )
        found.has_splits = True
        for name, split in zip(with_images, splits, strict=True):
            found._add(split, path / name, inside.pop(name))
        found.left_out += [file for others in inside.values() for file in others]
        return found

    def _add(self, split: str, folder: Path, files: list[Path]) -> None:
        images = [file for file in files if _is_image(file)]
        self.left_out += [file for file in files if not _is_image(file)]
        parents = [file.relative_to(folder).parts[:-1] for file in images]
        if any(parents):
            if not all(parents):
                raise DataError(
                    f"{folder} has images in folders, and others beside them. Expected all images in one folder, or "
                    f"one folder a class. Move the others. Received: {sum(not each for each in parents):,} of "
                    f"{len(images):,} images beside folders, such as {images[parents.index(())].name}"
                )
            self.classes[split] = [each[0] for each in parents]
        self.images[split] = images

    @property
    def to_cut(self) -> tuple[str, ...]:
        """The splits that `load` cuts off from the training images."""
        if not self.has_splits:
            return ALL
        return () if "test" in self.images else ("test",)

    def cut(self, seed: int) -> "_Folder":
        """Returns the folder with the splits that `load` makes, in their shuffled order."""
        found = dataclasses.replace(self, images=dict(self.images), classes=dict(self.classes))
        images, classes = self.images["train"], self.classes.get("train")
        for split, rows in rows_of_splits(len(images), self.to_cut, seed).items() if self.to_cut else ():
            found.images[split] = [images[row] for row in rows]
            if classes is not None:
                found.classes[split] = [classes[row] for row in rows]
        return found

    @property
    def all_images(self) -> list[Path]:
        """The images of all splits."""
        return [image for images in self.images.values() for image in images]


def has_images(path: Path) -> bool:
    """Whether a path is a folder with an image somewhere in it."""
    return path.is_dir() and any(map(_is_image, _files(path)))


def _load(request: Request) -> Splits:
    folder = _Folder.of(request.path)
    to_cut = folder.to_cut
    own = "the folders train, validation and test."
    require_enough(len(folder.images["train"]), "training images", to_cut, folder.path, own)
    parts = _read(folder, request.image_size, cut=bool(to_cut))
    if to_cut:
        cut_off(parts, to_cut, request.seed, folder.path)
    return _splits(folder, parts)


def _load_whole(request: Request) -> Split | None:
    folder = _Folder.of(request.path)
    if folder.has_splits:
        return None
    split = _splits(folder, _read(folder, request.image_size, cut=False)).train
    return split if isinstance(split, Split) else None


def _check(request: Request) -> None:
    folder = _Folder.of(request.path)
    images = folder.all_images
    headers = [read_header(path) for path in images[:: 1 + len(images) // _NUM_CHECKED]]
    if request.image_size is None and len({header.size for header in headers}) > 1:
        headers = [read_header(path) for path in images]  # so that the message counts all sizes
    form = common_form(headers, str(folder.path), request.image_size)
    _require_memory(folder, form, cut=bool(folder.to_cut))


def _read(folder: _Folder, image_size: tuple[int, int] | None, *, cut: bool) -> dict[str, dict[str, np.ndarray]]:
    """Returns the pixels and the classes of each split."""
    headers = [read_header(path) for path in folder.all_images]
    form = common_form(headers, str(folder.path), image_size)
    _require_memory(folder, form, cut=cut)
    pixels = {}
    for split, paths in folder.images.items():
        pixels[split] = np.empty((len(paths), *form.event_shape), form.dtype)
        for row, path in enumerate(paths):
            pixels[split][row] = form.read(path)
    if form.num_channels == 4:
        pixels = _without_opaque_alpha(pixels, any(header.has_colour for header in headers))
    largest = max(float(array.max()) for array in pixels.values()) if form.depth == "word" else 1.0
    _say(folder, headers, form, largest)
    return {"data": pixels, "labels": {split: np.array(names) for split, names in folder.classes.items()}}


def _stream(request: Request, scratch: Path) -> dict[str, ShardSource]:
    """Returns the splits of `_load` as sources of shards, which read the images one by one.

    Raises:
        DataError: As `_load`.
    """
    folder = _Folder.of(request.path)
    own = "the folders train, validation and test."
    require_enough(len(folder.images["train"]), "training images", folder.to_cut, folder.path, own)
    headers = dict(zip(folder.all_images, map(read_header, folder.all_images), strict=True))
    form = common_form(list(headers.values()), str(folder.path), request.image_size)
    if form.num_channels == 4 and not _is_transparent(form, headers):
        has_colour = any(header.has_colour for header in headers.values())
        form = dataclasses.replace(form, num_channels=3 if has_colour else 1)
    _say(folder, list(headers.values()), form, 1.0)
    folder = folder.cut(request.seed)
    numbers, names = class_numbers({split: np.array(each) for split, each in folder.classes.items()})
    is_condition = request.condition == LABEL
    if is_condition and set(numbers) < set(folder.images):
        raise DataError(
            f"{folder.path} has splits without one folder a class, but a condition on the label needs the class of "
            f"each image. Received: condition={quoted(request.condition)}"
        )
    return {
        split: ShardSource(
            functools.partial(_read_pieces, form, paths, numbers.get(split), len(names or ()) * is_condition),
            class_names=names,
            condition_names=names if is_condition else None,
        )
        for split, paths in folder.images.items()
    }


def _is_transparent(form: Form, headers: dict[Path, Header]) -> bool:
    opaque = 255 if form.dtype == np.uint8 else 1
    return any((form.read(path)[..., 3] < opaque).any() for path, header in headers.items() if header.has_alpha)


def _read_pieces(
    form: Form, paths: list[Path], labels: np.ndarray | None, num_conditions: int, order: np.random.Generator | None
) -> Iterator[Block]:
    """Yields images in pieces, with their labels and, if there are any conditions, these as one-hot vectors."""
    rows = np.arange(len(paths)) if order is None else order.permutation(len(paths))
    for start in range(0, len(rows), _PIECE):
        chosen = rows[start : start + _PIECE]
        numbers = None if labels is None else labels[chosen]
        condition = one_hot(numbers, num_conditions) if num_conditions and numbers is not None else None
        pixels = np.stack([form.read(paths[row]) for row in chosen]).astype(form.dtype, copy=False)
        yield Block(pixels, numbers, condition)


def _splits(folder: _Folder, parts: dict[str, dict[str, np.ndarray]]) -> Splits:
    name = folder.path.resolve().name or "images"
    return make_splits(name, parts["data"], parts["labels"], str(folder.path))


def _without_opaque_alpha(pixels: dict[str, np.ndarray], has_colour: bool) -> dict[str, np.ndarray]:
    """Leaves alpha out if no pixel is transparent."""
    opaque = 255 if pixels["train"].dtype == np.uint8 else 1
    if any((array[..., 3] < opaque).any() for array in pixels.values()):
        return pixels
    return {split: np.ascontiguousarray(array[..., : 3 if has_colour else 1]) for split, array in pixels.items()}


def _require_memory(folder: _Folder, form: Form, *, cut: bool) -> None:
    size = 0
    for images in folder.images.values():
        array = ArrayForm((len(images), *form.event_shape), form.dtype, by_rows=True, offset=0)
        without_alpha = array.num_bytes if form.num_channels == 4 else 0
        size += max(array.loading_bytes(is_label=False, cut=cut), array.num_bytes + without_alpha)
    advice = (
        "Make the images smaller with image_size (--image-size), or write them as shards, image by image, and train on "
        "these: `tfvae data shard FOLDER SHARDS`."
    )
    require_memory(size, f"Loading the images in {folder.path}", advice)


def _say(folder: _Folder, headers: list[Header], form: Form, largest: float) -> None:
    """Logs what was left out and changed; `largest` is the largest value."""
    if folder.left_out:
        example = folder.left_out[0].relative_to(folder.path)
        _log.warning(
            "%s: files left out because they are hidden or no images: %d, such as %s.",
            folder.path,
            len(folder.left_out),
            example,
        )
    frames = sum(header.has_frames for header in headers)
    if frames:
        _log.warning("%s: images with several frames or pages, of which the first is read: %d.", folder.path, frames)
    reduced = sum(header.is_reduced for header in headers)
    if reduced:
        _log.warning("%s: images with colours of 16 bits, which are read with 8 bits: %d.", folder.path, reduced)
    if form.depth == "word":
        dark = f" The largest is {largest:.2g}, so the images look dark. Scale them, or save them in a .npy file."
        dark = dark if largest < _DARK else ""
        _log.warning("%s: 16-bit levels are read as numbers from 0 to 1, level / 65535.%s", folder.path, dark)


def _is_image(file: Path) -> bool:
    return not file.name.startswith(".") and file.suffix.lower() in SUFFIXES


def _files(folder: Path) -> Iterator[Path]:
    """Yields the files in a folder and in the folders within, except hidden ones, each folder once."""
    seen = set()
    for where, inner, names in os.walk(folder, onerror=_raise, followlinks=True):
        place = os.path.realpath(where)
        if place in seen:  # a link to a folder above it
            inner.clear()
            continue
        seen.add(place)
        inner[:] = [name for name in inner if not name.startswith(".")]
        yield from (Path(where, name) for name in names)


def _raise(error: OSError) -> None:
    raise error


IMAGES = Source(_load, _check, _load_whole, stream=_stream, resizes=True)
