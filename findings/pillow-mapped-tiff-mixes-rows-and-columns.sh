#!/usr/bin/env bash
# Pillow turns a TIFF by its EXIF orientation when it is loaded. An uncompressed one that is opened by its path is
# mapped into memory, and then its rows and columns are mixed up: the array has the shape of the turned image where
# that of the stored one is read, or the other way round, and other values. Opened as a stream of the same bytes, it is
# right.
source "$(dirname "${BASH_SOURCE[0]}")/_stack.sh"

prepare Pillow==13.0.0 numpy==2.4.6
run <<'PY'
import io
import pathlib
import tempfile

import numpy as np
from finding import done, seen
from PIL import Image, ImageOps

stored = np.arange(24, dtype=np.uint8).reshape(6, 4)
right = np.rot90(stored, -1)  # orientation 6: turned by 90 degrees to the right
exif = Image.Exif()
exif[0x0112] = 6


def loaded(source):
    with Image.open(source) as image:
        return np.asarray(ImageOps.exif_transpose(image))


with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "image.tif"
    Image.fromarray(stored).save(path, exif=exif)
    by_path, by_stream = loaded(path), loaded(io.BytesIO(path.read_bytes()))
seen("rows of 6, the first 20 16 12 8 4 0, by stream", by_stream.tolist()[0], np.array_equal(by_stream, right))
seen("the same by path", by_path.tolist()[0], by_path.shape == (6, 4) and by_path.tolist()[0] == [18, 12, 6, 0])
done()
PY
