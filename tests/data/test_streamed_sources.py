"""Tables and folders of images that are written as shards piece by piece."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tfvae import _memory
from tfvae.data import DataError, load, shard
from tfvae.data.sources import image_folders, table_streams
from tfvae.tables import pieces


def ordered(split):
    """The examples of a split in an order of their own."""
    split = split.take(len(split))
    return split.rows(np.lexsort(split.raw.reshape(len(split.raw), -1).T))


def require_same(found, expected):
    assert found.schema == expected.schema
    for name, split in expected.all.items():
        read, stored = ordered(found.all[name]), ordered(split)
        assert (read.num_levels, read.class_names) == (stored.num_levels, stored.class_names)
        assert read.condition_names == stored.condition_names
        observed = np.ones(read.raw.shape, bool) if stored.observed is None else stored.observed
        np.testing.assert_array_equal(read.raw, np.where(observed, stored.raw, 0))
        for part in ("labels", "condition", "observed"):
            np.testing.assert_array_equal(getattr(read, part), getattr(stored, part))


# Tables ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def frame():
    draw = np.random.default_rng(0)
    number = draw.normal(size=200).round(4)
    return pd.DataFrame(
        {
            "number": np.where(np.arange(200) % 9 == 0, np.nan, number),
            "letter": draw.choice(["a", "b", "c"], 200),
            "price": draw.lognormal(3, 1, 200).round(2),
            "kind": draw.choice(["x", "y"], 200),
            "code": [f"{i:05d}" for i in range(200)],
        }
    )


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(table_streams, "_NUM_CELLS", 170)
    monkeypatch.setattr(table_streams, "_COLUMN_BYTES", 1)
    monkeypatch.setattr(table_streams, "available_memory", lambda: 4 * 12_000)


@pytest.mark.parametrize("options", [{}, {"label": "kind"}, {"condition": "kind", "columns": {"price": "real"}}])
def test_a_table_in_pieces_is_the_table_that_is_loaded(frame, options, tmp_path, small_pieces):
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    table = pieces.TableInPieces(path)
    assert len(list(table_streams._groups(table))) > 1
    folder = shard(path, tmp_path / "shards", shard_size=50, **options)
    condition = options.get("condition")
    require_same(load(folder, condition=condition), load(path, **options))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["shards", "table.csv"], "nothing else is left"


@pytest.mark.parametrize("name", ["table.parquet", "table.feather", "table.csv.gz"])
def test_tables_of_other_kinds(frame, name, tmp_path, small_pieces):
    path = tmp_path / name
    if name.endswith(".gz"):
        frame.to_csv(path, index=False)
    else:
        frame = frame.set_index("letter")
        getattr(frame if "parquet" in name else frame.reset_index(), f"to_{path.suffix[1:]}")(path)
    require_same(load(shard(path, tmp_path / "shards")), load(path))


def test_decimal_commas_and_other_encodings(frame, tmp_path, small_pieces):
    frame = frame.assign(letter=frame["letter"].map({"a": "ä", "b": "ö", "c": "c"}))
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False, sep=";", decimal=",", encoding="latin-1")
    require_same(load(shard(path, tmp_path / "shards")), load(path))


def test_labels_of_a_table_as_the_condition(frame, tmp_path):
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    options = {"label": "kind", "condition": "label"}
    require_same(load(shard(path, tmp_path / "shards", **options), condition="label"), load(path, **options))
    with pytest.raises(DataError, match=r"no labels for a condition on the label"):
        shard(path, tmp_path / "other", condition="label")


def test_a_table_that_cannot_be_used_leaves_nothing(frame, tmp_path):
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    for options, message in (
        ({"label": "gone"}, "has no column 'gone'"),
        ({"columns": {"letter": "real"}}, "letter"),
        ({"missing": "observed", "image_size": 3, "label": "gone"}, "gone"),
    ):
        with pytest.raises(DataError, match=message):
            shard(path, tmp_path / "shards", **options)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["table.csv"]


def test_a_table_that_does_not_fit_in_memory_is_one_sentence(frame, tmp_path, monkeypatch):
    frame.to_csv(tmp_path / "table.csv", index=False)
    monkeypatch.setattr(_memory, "available_memory", lambda: 10_000)
    with pytest.raises(MemoryError, match=r"table\.csv needs .* `tfvae data shard FILE SHARDS`"):
        load(tmp_path / "table.csv")


# Folders of images ----------------------------------------------------------------------------------------------------


@pytest.fixture
def images(tmp_path):
    """Writes images `[N, H, W, C]` to a folder, in folders of classes."""

    def write(pixels, mode=None):
        for number, image in enumerate(pixels):
            folder = tmp_path / "images" / "ab"[number % 2]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.squeeze(image), mode).save(folder / f"{number:03d}.png")
        return tmp_path / "images"

    return write


def pixels(channels, kind=np.uint8):
    return np.random.default_rng(0).integers(0, 256, (40, 5, 4, channels)).astype(kind)


@pytest.mark.parametrize("kind", ["gray", "colour", "opaque", "transparent", "word", "bit"])
def test_a_folder_in_pieces_is_the_folder_that_is_loaded(kind, images, tmp_path, monkeypatch):
    monkeypatch.setattr(image_folders, "_PIECE", 7)
    x = pixels({"colour": 3, "opaque": 4, "transparent": 4}.get(kind, 1))
    if kind == "opaque":
        x[..., 3] = 255
    x = x.astype(np.uint16) * 250 if kind == "word" else x > 99 if kind == "bit" else x
    folder = images(x)
    require_same(load(shard(folder, tmp_path / "shards", shard_size=11)), load(folder))


def test_classes_as_the_condition(images, tmp_path):
    folder = images(pixels(1))
    shards = shard(folder, tmp_path / "shards", condition="label", image_size=3)
    require_same(load(shards, condition="label"), load(folder, condition="label", image_size=3))


def test_a_folder_that_does_not_fit_in_memory_is_written_all_the_same(images, tmp_path, monkeypatch):
    folder = images(pixels(1))
    monkeypatch.setattr(_memory, "available_memory", lambda: 100)
    with pytest.raises(MemoryError, match=r"image by image.*`tfvae data shard FOLDER SHARDS`"):
        load(folder)
    assert len(load(shard(folder, tmp_path / "shards")).train) == 32
