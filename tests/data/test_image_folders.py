"""Folders of images: their forms, the kinds of pixels, sizes, and every way in which they fail."""

import logging
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tfvae import _memory
from tfvae.data import DataError, load, load_examples
from tfvae.data.checks import check_name

RNG = np.random.default_rng(7)
GRAY = RNG.integers(0, 256, (20, 6, 4), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (6, 4, 3), dtype=np.uint8)
WORDS = RNG.integers(0, 65_536, (6, 4), dtype=np.uint16)


@pytest.fixture
def write(tmp_path):
    """A function that saves arrays or Pillow's images under names; returns the folder of them all."""

    def save(images, folder="images", **options):
        for name, image in images.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
        return tmp_path / folder

    return save


def whole(folder, **options):
    return load_examples(folder, **options)


def pixel(value, mode):
    return Image.new(mode, (4, 6), value)


def test_one_folder_is_cut_and_nothing_is_lost(write):
    folder = write({f"{i:02}.png": image for i, image in enumerate(GRAY)})
    splits = load(folder)
    assert [len(part) for part in splits.all.values()] == [16, 2, 2]
    assert (splits.name, splits.event_shape, splits.num_levels) == ("images", (6, 4, 1), 256)
    assert splits.train.labels is None
    together = np.concatenate([part.raw[..., 0] for part in splits.all.values()])
    assert not np.array_equal(together, GRAY)
    assert {image.tobytes() for image in together} == {image.tobytes() for image in GRAY}
    np.testing.assert_array_equal(whole(folder).raw[..., 0], GRAY)  # in the order of the paths
    np.testing.assert_array_equal(load(folder, seed=1).train.raw, load(str(folder), seed=1).train.raw)
    assert not np.array_equal(load(folder, seed=1).train.raw, splits.train.raw)


def test_one_folder_a_class(write):
    names = ["dog", "ant", "cat"]
    folder = write({f"{names[i % 3]}/{i:02}.png": image for i, image in enumerate(GRAY)})
    examples = whole(folder)
    assert examples.class_names == ("ant", "cat", "dog")
    rows = [i for name in sorted(names) for i in range(20) if names[i % 3] == name]
    np.testing.assert_array_equal(examples.raw[..., 0], GRAY[rows])
    assert [examples.class_names[label] for label in examples.labels] == [names[i % 3] for i in rows]
    of_image = {image.tobytes(): names[i % 3] for i, image in enumerate(GRAY)}
    for split in load(folder).all.values():
        assert [split.class_names[y] for y in split.labels] == [of_image[image.tobytes()] for image in split.raw]
    assert load(folder, condition="label").train.condition.shape == (16, 3)


def test_folders_of_splits(write):
    folder = write({f"Train/{'ab'[i % 2]}/{i}.png": GRAY[i] for i in range(4)})
    write({f"val/b/{i}.png": GRAY[i] for i in range(4, 6)})
    write({f"test/{i}.png": GRAY[i] for i in range(6, 9)})
    splits = load(folder)
    assert [len(part) for part in splits.all.values()] == [4, 2, 3]
    np.testing.assert_array_equal(splits.train.raw[..., 0], GRAY[[0, 2, 1, 3]])
    np.testing.assert_array_equal(splits.test.raw[..., 0], GRAY[6:9])
    assert (splits.train.labels.tolist(), splits.validation.labels.tolist()) == ([0, 0, 1, 1], [1, 1])
    assert splits.test.labels is None
    assert len(load_examples(folder, split="validation")) == 2


def test_without_test_images_some_are_cut_off(write):
    folder = write({f"train/{i}.png": GRAY[i] for i in range(10)})
    splits = load(folder)
    assert (len(splits.train), splits.validation, len(splits.test)) == (9, None, 1)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["test/1.png", "test/2.png"], r"Expected `train`.*\['test'\]"),
        (["train/1.png", "train/2.png", "car/1.png"], r"and others.*\['car', 'train'\]"),
        (["train/1.png", "valid/2.png", "val/1.png"], "not one for each"),
        (["a/1.png", "a/2.png", "3.png", "4.png"], r"2 of 4 images beside folders, such as 3\.png"),
        (["1.png", "2.png"], "2 training images, too few.*at least 3"),
    ],
)
def test_unclear_folders(write, names, words):
    folder = write({name: GRAY[i] for i, name in enumerate(names)})
    with pytest.raises(DataError, match=words):
        load(folder)


@pytest.mark.parametrize("suffix", ["png", "PNG", "tif", "tiff", "bmp", "webp", "pgm", "gif"])
def test_formats_without_loss(write, suffix):
    folder = write({f"1.{suffix}": GRAY[0], f"2.{suffix}": GRAY[1]}, **({"lossless": True} if suffix == "webp" else {}))
    raw = whole(folder).raw
    np.testing.assert_array_equal(raw[..., 0], GRAY[:2])
    assert raw.shape[-1] == (3 if suffix == "webp" else 1)  # WebP has no gray


def test_lossy_formats_are_close(write):
    smooth = np.linspace(0, 255, 256).reshape(16, 16).astype(np.uint8)
    raw = whole(write({"1.jpg": smooth, "2.jpeg": smooth}, quality=95)).raw
    assert raw.shape == (2, 16, 16, 1)
    assert abs(raw.astype(int) - smooth[..., np.newaxis]).max() <= 6


@pytest.mark.parametrize(
    ("images", "channels", "expected"),
    [
        ([pixel(7, "L"), pixel((1, 2, 3), "RGB")], 3, [[7, 7, 7], [1, 2, 3]]),
        ([pixel((1, 2, 3, 255), "RGBA"), pixel(7, "L")], 3, [[1, 2, 3], [7, 7, 7]]),
        ([pixel((1, 2, 3, 9), "RGBA"), pixel(7, "L")], 4, [[1, 2, 3, 9], [7, 7, 7, 255]]),
        ([pixel((9, 255), "LA"), pixel(7, "L")], 1, [[9], [7]]),
        ([pixel((9, 80), "LA"), pixel(7, "L")], 4, [[9, 9, 9, 80], [7, 7, 7, 255]]),
        ([pixel(1, "1"), pixel(7, "L")], 1, [[255], [7]]),
        ([pixel((200, 10, 60), "RGB").quantize(4), pixel(7, "L")], 3, [[200, 10, 60], [7, 7, 7]]),
        ([pixel(60, "L").convert("P"), pixel(7, "L")], 1, [[60], [7]]),
    ],
)
def test_all_images_get_the_channels_of_the_richest(write, images, channels, expected):
    raw = whole(write({f"{i}.png": image for i, image in enumerate(images)})).raw
    assert raw.shape == (2, 6, 4, channels)
    np.testing.assert_array_equal(raw, np.broadcast_to(np.reshape(expected, (2, 1, 1, channels)), raw.shape))


def test_transparent_colour_of_a_palette_is_alpha(write):
    image = pixel((200, 10, 60), "RGB").quantize(4)
    raw = whole(write({"1.png": image, "2.png": image}, transparency=image.getpixel((0, 0)))).raw
    assert raw[0, 0, 0].tolist() == [200, 10, 60, 0]


def test_colours_of_print(write):
    ink = Image.merge("CMYK", [Image.new("L", (16, 16), value) for value in (0, 255, 255, 0)])
    red = whole(write({"1.jpg": ink})).raw[0, 0, 0]
    assert red.shape == (3,)
    assert red[0] > 200 > 100 > red[1]


def test_black_and_white_is_binary(write):
    bits = GRAY[0] > 100
    split = whole(write({"1.png": bits, "2.tif": ~bits}))
    assert split.num_levels == 2
    np.testing.assert_array_equal(split.raw[..., 0], [bits, ~bits])


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_keep_their_levels(write, suffix, caplog):
    folder = write({f"1.{suffix}": WORDS, f"2.{suffix}": WORDS})
    split = whole(folder)
    assert (split.num_levels, split.raw.dtype) == (None, np.float32)
    np.testing.assert_array_equal(np.rint(split.raw[0, ..., 0] * 65_535), WORDS)
    assert "level / 65535." in caplog.text
    assert "look dark" not in caplog.text
    whole(write({f"1.{suffix}": WORDS // 1000, f"2.{suffix}": WORDS // 1000}))
    assert "The largest is 0.00" in caplog.text


@pytest.mark.parametrize("values", [WORDS, GRAY[0]])
def test_rotation_without_compression(write, values):
    is_word = values.dtype == np.uint16
    image = Image.frombytes("I;16B", (4, 6), values.astype(">u2").tobytes()) if is_word else Image.fromarray(values)
    folder = write({"1.tif": image}, tiffinfo={0x0112: 6})
    raw = whole(folder).raw[0, ..., 0]
    np.testing.assert_array_equal(np.rint(raw * 65_535) if is_word else raw, np.rot90(values, -1))


def test_16_bits_among_colours(write):
    raw = whole(write({"1.png": WORDS, "2.png": COLOUR})).raw
    assert raw.shape == (2, 6, 4, 3)
    np.testing.assert_allclose(raw[0, ..., 2], WORDS / 65_535, rtol=1e-6)
    np.testing.assert_allclose(raw[1], COLOUR / 255, rtol=1e-6)


def test_floats_stay_unchanged_and_alone(write):
    floats = RNG.normal(size=(6, 4)).astype(np.float32) * 1000
    folder = write({"1.tif": floats, "2.tif": -floats})
    np.testing.assert_array_equal(whole(folder).raw[..., 0], [floats, -floats])
    write({"3.png": GRAY[0]})
    with pytest.raises(DataError, match=r"mixes images of floats.*2 of 3 images"):
        whole(folder)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_orientation_is_applied(write, suffix):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees, clockwise
    folder = write({f"1.{suffix}": COLOUR}, exif=exif)
    np.testing.assert_array_equal(whole(folder).raw[0], np.rot90(COLOUR, -1))
    write({f"2.{suffix}": np.rot90(COLOUR, -1)})
    check_name(folder)  # one size, by the headers
    assert whole(folder).event_shape == (4, 6, 3)


def test_other_files_are_left_out_and_counted(write, caplog):
    folder = write({"a/1.png": GRAY[0], "a/2.png": GRAY[1], ".hidden/3.png": GRAY[2]})
    for name in ("notes.txt", "a/._1.png", "a/labels.csv"):
        (folder / name).write_text("no image")
    assert len(whole(folder)) == 2
    assert "left out because they are hidden or no images: 3, such as a/._1.png" in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_frames_and_colours_that_are_not_read_are_counted(write, caplog):
    first, second = Image.fromarray(GRAY[0]), Image.fromarray(GRAY[1])
    folder = write({"1.tif": first}, save_all=True, append_images=[second])
    np.testing.assert_array_equal(whole(folder).raw[0, ..., 0], GRAY[0])
    assert "several frames or pages, of which the first is read: 1." in caplog.text


def test_16_bit_colours_are_reported(tmp_path, caplog):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b"".join(b"\0" + row.tobytes() for row in np.repeat(WORDS, 3, axis=1).astype(">u2"))
    header = struct.pack(">IIBBBBB", 4, 6, 16, 2, 0, 0, 0)  # width, height, bits, RGB
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    np.testing.assert_array_equal(whole(tmp_path).raw[0, ..., 0], WORDS >> 8)
    assert "colours of 16 bits, which are read with 8 bits: 1." in caplog.text


def test_sizes_that_differ(write):
    folder = write({f"{i}.png": np.zeros((2 + (i > 5) + (i > 8), 3), np.uint8) for i in range(10)})
    for function in (load, load_examples, check_name):
        with pytest.raises(DataError, match=r'image_size="2x3".*6 of 2x3, 3 of 3x3, 1 of 4x3$'):
            function(folder)
    write({f"other{i}.png": np.zeros((9, 10 + i), np.uint8) for i in range(3)})
    with pytest.raises(DataError, match="6 of 2x3, 3 of 3x3, 1 of 4x3, 1 of 9x10, 2 of 2 other sizes"):
        check_name(folder)


@pytest.mark.parametrize("image_size", ["6x4", "6X4", (6, 4)])
def test_resizing_crops_at_the_centre(write, image_size):
    tall = np.concatenate([np.zeros((6, 4), np.uint8), GRAY[0], np.full((6, 4), 255, np.uint8)])
    folder = write({"1.png": GRAY[1], "2.png": tall, "3.png": np.kron(GRAY[2], np.ones((3, 3), np.uint8))})
    raw = whole(folder, image_size=image_size).raw
    assert raw.shape == (3, 6, 4, 1)
    np.testing.assert_array_equal(raw[:2, ..., 0], [GRAY[1], GRAY[0]])
    assert abs(raw[2].astype(int) - GRAY[2][..., np.newaxis]).mean() < 40
    assert load(folder, image_size=5).event_shape == (5, 5, 1)
    check_name(folder, image_size="5")


def test_resizing_stays_within_the_values(write):
    edge = np.repeat([[0] * 8 + [65_535] * 8], 16, axis=0).astype(np.uint16)
    raw = whole(write({"1.png": edge}), image_size=11).raw
    assert (raw.min(), raw.max()) == (0.0, 1.0)


@pytest.mark.parametrize("image_size", ["", "0", "2x", "axb", "1x2x3", "-3", 2.5, (1, 2, 3), (), "70000"])
def test_sizes_that_are_none(write, image_size):
    with pytest.raises(DataError, match="image_size must be one number of pixels"):
        load(write({"1.png": GRAY[0]}), image_size=image_size)


def test_other_data_have_no_image_size(tmp_path):
    np.save(tmp_path / "own.npy", np.ones((9, 4), np.float32))
    for name in (tmp_path / "own.npy", "digits"):
        with pytest.raises(DataError, match=r"image_size is for folders of images.*\(8, 8\)"):
            load(name, image_size=8)
    assert len(load_examples(tmp_path / "own.npy", image_size=8)) == 9


@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_damaged_images_are_named(write, content):
    folder = write({f"{i}.png": GRAY[i] for i in range(4)})
    path = folder / "2.png"
    path.write_bytes(path.read_bytes()[:60] if content is None else content)
    with pytest.raises(DataError, match=r"2\.png cannot be read: [\w ]+\. Replace the image"):
        load(folder)


def test_images_that_do_not_fit_into_memory_are_not_read(write, monkeypatch):
    folder = write({f"{i}.png": GRAY[i] for i in range(4)})
    monkeypatch.setattr(_memory, "available_memory", lambda: 90)
    for function in (load, load_examples, check_name):
        with pytest.raises(MemoryError, match=r"Loading the images in .*image_size"):
            function(folder)


def test_names_of_arrays_are_for_other_data(write):
    folder = write({f"{i}.png": GRAY[i] for i in range(4)})
    with pytest.raises(DataError, match='condition must be "label"'):
        load(folder, condition="angle")
    with pytest.raises(DataError, match='missing must be "nan"'):
        load(folder, missing="nan")


def test_links_are_followed_once(write, tmp_path):
    folder = write({f"a/{i}.png": GRAY[i] for i in range(4)})
    (folder / "a" / "above").symlink_to(folder)
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "b").symlink_to(folder / "a")
    assert len(whole(folder)) == 4
    assert whole(tmp_path / "linked").class_names == ("b",)
