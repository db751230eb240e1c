"""Pictures in files: what their headers say, and their pixels as one kind of array. Pillow reads them."""

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from tfvae._errors import reading
from tfvae.data.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".gif", ".pgm", ".ppm")

_ADVICE = "Replace the image, or move it out of the folder."
_ORIENTATION = 0x0112  # of EXIF; 5 to 8 exchange height and width
_TIFF_SIZE = (256, 257)  # the tags of width and height
_LARGEST_16_BIT = 65_535
_MOST_SIZES = 4


class Header(NamedTuple):
    """What an image has, by its header alone.

    Attributes:
        size: Height and width after the rotation of EXIF.
        depth: "bit" for black and white, "byte" for 8 bits a channel, "word" for 16, "float" for floats.
        has_colour: Whether it may have colours.
        has_alpha: Whether it may have transparent pixels.
        has_frames: Whether there are other frames or pages, which are not read.
        is_reduced: Whether it has colours of 16 bits, of which Pillow reads 8.
    """

    size: tuple[int, int]
    depth: Literal["bit", "byte", "word", "float"]
    has_colour: bool
    has_alpha: bool
    has_frames: bool
    is_reduced: bool


def read_header(path: Path) -> Header:
    """Reads the header of an image.

    Raises:
        DataError: If the file is damaged.
    """
    with _opened(path) as image:
        width, height = image.size
        tags = getattr(image, "tag_v2", None)  # of a TIFF, of which Pillow exchanges them itself in some versions
        if tags is not None:
            width, height = (tags.get(tag, size) for tag, size in zip(_TIFF_SIZE, image.size, strict=True))
        # Of a PNG without EXIF in front of its pixels, Pillow would read all pixels to look for it.
        has_exif = image.format != "PNG" or "exif" in image.info
        if has_exif and image.getexif().get(_ORIENTATION, 1) >= 5:
            width, height = height, width
        return Header(
            (height, width),
            _depth(image.mode),
            not _is_gray(image),
            image.mode[0] not in "IF" and image.has_transparency_data,
            getattr(image, "is_animated", False),
            image.mode[0] not in "IF" and any(";16" in _raw_mode(tile) for tile in getattr(image, "tile", ())),
        )


@contextlib.contextmanager
def _opened(path: Path) -> "Iterator[Image.Image]":
    """Opens an image, and turns errors in the block into DataError."""
    from PIL import Image, UnidentifiedImageError

    # Of a path, Pillow maps the file into memory, and then mixes up rows and columns of a TIFF that is to be rotated.
    with reading(path, _ADVICE, kind=DataError), path.open("rb") as file:
        try:
            image = Image.open(file)
        except UnidentifiedImageError:
            raise ValueError("its content is no image of a known format") from None
        with image:
            yield image


def _depth(mode: str) -> Literal["bit", "byte", "word", "float"]:
    if mode == "1":
        return "bit"
    if mode == "F":
        return "float"
    return "word" if mode.startswith("I") else "byte"


def _is_gray(image: "Image.Image") -> bool:
    if image.mode in ("P", "PA"):
        palette = np.reshape(np.array(image.getpalette("RGB") or [0, 0, 0]), (-1, 3))
        return bool((palette == palette[:, :1]).all())
    return image.mode[0] in "1LIF" and image.mode != "LAB"


def _raw_mode(tile: Sequence[object]) -> str:
    """The kind of pixels in the file, of one of Pillow's tiles (decoder, box, offset, arguments)."""
    arguments = tile[3] if len(tile) > 3 else None
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


@dataclasses.dataclass(frozen=True)
class Form:
    """The form that all images of a data set are brought to.

    Attributes:
        size: Height and width.
        num_channels: 1 for gray, 3 for colours, 4 for colours and alpha.
        depth: "bit" for zeros and ones, "byte" for uint8 levels, "word" for float32 in [0, 1], "float" for float32.
        resized: Whether images of other sizes are scaled and cropped at the centre.
    """

    size: tuple[int, int]
    num_channels: int
    depth: Literal["bit", "byte", "word", "float"]
    resized: bool

    @property
    def dtype(self) -> np.dtype:
        """The type of the pixels."""
        return np.dtype(np.float32 if self.depth in ("word", "float") else np.uint8)

    @property
    def event_shape(self) -> tuple[int, int, int]:
        """The shape of one image."""
        return (*self.size, self.num_channels)

    def read(self, path: Path) -> np.ndarray:
        """Reads an image `[H, W, C]`.

        Raises:
            DataError: If the file is damaged.
        """
        from PIL import Image, ImageOps

        with _opened(path) as stored:
            image = ImageOps.exif_transpose(stored)
            depth = _depth(image.mode)
            if depth in ("word", "float"):
                image = Image.fromarray(np.asarray(image).astype(np.float32))
            elif (depth, self.depth) != ("bit", "bit"):
                image = image.convert({1: "L", 3: "RGB", 4: "RGBA"}[self.num_channels])
            pixels = np.asarray(image)
            if self.resized:
                fitted = ImageOps.fit(image, (self.size[1], self.size[0]), Image.Resampling.LANCZOS)
                # The filter overshoots at edges; Pillow limits bytes itself.
                pixels = np.clip(np.asarray(fitted), pixels.min(), pixels.max())
            if pixels.shape[:2] != self.size:
                raise ValueError(f"it has {_text(pixels.shape[:2])} pixels, and its header says {_text(self.size)}")
            if depth == "word" and not 0 <= pixels.min() <= pixels.max() <= _LARGEST_16_BIT:
                raise ValueError("it has integers of more than 16 bits")
            if self.depth == "word":
                pixels = pixels.astype(np.float32) / (_LARGEST_16_BIT if depth == "word" else 255)
        return self._with_channels(pixels.reshape(*self.size, -1))

    def _with_channels(self, pixels: np.ndarray) -> np.ndarray:
        """Gives gray pixels of 16 bits the channels of other images."""
        if pixels.shape[-1] == self.num_channels:
            return pixels
        opaque = np.ones((*self.size, self.num_channels - 3), pixels.dtype)
        return np.concatenate([np.repeat(pixels, 3, axis=-1), opaque], axis=-1)


def common_form(headers: Sequence[Header], source: str, image_size: tuple[int, int] | None) -> Form:
    """Returns the form for all images: gray if all are gray, with alpha if any has it, of the largest depth.

    Args:
        headers: The header of each image.
        source: Where the images are, for messages.
        image_size: Height and width to resize to, or None if all have one size.

    Raises:
        DataError: If sizes differ and are not to be changed, or if only some images have floats.
    """
    sizes = Counter(header.size for header in headers)
    if image_size is None and len(sizes) > 1:
        raise DataError(_differing_sizes(sizes, source))
    depths = {header.depth for header in headers}
    if len(depths) > 1 and "float" in depths:
        count = sum(header.depth == "float" for header in headers)
        raise DataError(
            f"{source} mixes images of floats, which have no largest level, with others. Keep them in folders of their "
            f"own. Received: {count:,} of {len(headers):,} images with floats"
        )
    num_channels = 4 if any(header.has_alpha for header in headers) else 3
    if num_channels == 3 and not any(header.has_colour for header in headers):
        num_channels = 1
    depth = next(each for each in ("float", "word", "byte", "bit") if each in depths)
    if depth == "bit" and (num_channels > 1 or image_size is not None):
        depth = "byte"
    return Form(image_size or headers[0].size, num_channels, depth, image_size is not None)


def _differing_sizes(sizes: Counter[tuple[int, int]], source: str) -> str:
    frequent = sizes.most_common(_MOST_SIZES)
    listed = [f"{count:,} of {_text(size)}" for size, count in frequent]
    if len(sizes) > len(frequent):
        listed.append(
            f"{sizes.total() - sum(count for _, count in frequent):,} of {len(sizes) - len(frequent)} other sizes"
        )
    most = _text(frequent[0][0])
    return (
        f"The images in {source} differ in size (height x width). Expected one size. Give image_size (--image-size), "
        f'such as image_size="{most}": images are then scaled, and cropped at the centre. Received: {", ".join(listed)}'
    )


def _text(size: Sequence[int]) -> str:
    return f"{size[0]}x{size[1]}"
