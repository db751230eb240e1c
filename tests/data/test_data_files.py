"""`.npy` and `.npz` files: the forms, the content rules, and every way in which they fail."""

import contextlib
import io
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

import tfvae
from tfvae import _memory
from tfvae.data import DataError, load, load_examples
from tfvae.data.checks import check_name


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def save(tmp_path):
    def write(*args, **arrays) -> Path:
        if args:
            np.save(tmp_path / "own.npy", args[0])
            return tmp_path / "own.npy"
        np.savez(tmp_path / "own.npz", **arrays)
        return tmp_path / "own.npz"

    return write


def parts(splits):
    return [splits.train, splits.validation, splits.test]


def test_npy_is_cut_and_nothing_is_lost(save):
    x = np.arange(57 * 3, dtype=np.float32).reshape(57, 3)
    splits = load(save(x))
    assert [len(part) for part in parts(splits)] == [47, 5, 5]
    assert (splits.name, splits.train.name, splits.event_shape, splits.num_levels) == ("own", "own/train", (3,), None)
    together = np.concatenate([part.raw for part in parts(splits)])
    assert not np.array_equal(together, x)
    np.testing.assert_array_equal(together[np.argsort(together[:, 0])], x)


def test_cut_follows_the_seed_and_the_labels_follow_the_cut(save):
    x = np.arange(40, dtype=np.float32).reshape(40, 1)
    path = save(images=x, labels=np.arange(40))
    first, again, other = load(path), load(str(path)), load(path, seed=1)
    np.testing.assert_array_equal(first.train.raw, again.train.raw)
    assert not np.array_equal(first.train.raw, other.train.raw)
    for part in parts(other):
        np.testing.assert_array_equal(part.raw[:, 0], part.labels)


def test_three_examples_are_enough_and_two_are_not(save):
    assert [len(part) for part in parts(load(save(np.zeros((3, 2), np.uint8))))] == [1, 1, 1]
    with pytest.raises(DataError, match=r"has 2 training examples, too few.*at least 3"):
        load(save(np.zeros((2, 2), np.uint8)))


@pytest.mark.parametrize("key", ["x", "images", "data", "arr_0", "whatever"])
def test_single_array_under_its_names(save, key):
    assert len(load(save(**{key: np.ones((10, 2), np.float32)})).train) == 8


def test_known_key_wins_over_other_arrays(save):
    splits = load(save(x=np.ones((10, 2), np.float32), weights=np.ones(4)))
    assert splits.event_shape == (2,)


@pytest.mark.parametrize(
    ("shape", "is_warned"), [((9, 3, 8, 8), True), ((9, 1, 8, 8), True), ((9, 8, 8, 3), False), ((9, 3, 3, 3), False)]
)
def test_channels_that_come_first_are_told(save, caplog, shape, is_warned):
    load(save(np.full(shape, 7, np.uint8)))
    assert ("save numpy.moveaxis(x, 1, -1)" in caplog.text) == is_warned


def test_several_arrays_without_names_are_an_error(tmp_path):
    np.savez(tmp_path / "own.npz", np.ones((10, 2)), np.arange(10))
    with pytest.raises(DataError, match=r"has 2 arrays without a name.*x=examples, y=labels.*\['arr_0', 'arr_1'\]"):
        load(tmp_path / "own.npz")


@pytest.mark.parametrize("validation", ["x_valid", "x_validation", "x_val"])
def test_stored_splits(save, rng, validation):
    x = rng.integers(0, 256, (9, 5, 4), dtype=np.uint8)
    path = save(x_train=x[:5], y_train=np.arange(5)[:, np.newaxis], **{validation: x[5:7]}, x_test=x[7:])
    splits = load(path)
    for part, expected in zip(parts(splits), (x[:5], x[5:7], x[7:]), strict=True):
        np.testing.assert_array_equal(part.raw[..., 0], expected)
    assert splits.train.labels.tolist() == [0, 1, 2, 3, 4]
    assert splits.test.labels is None


def test_no_test_split_takes_a_tenth_of_the_training_examples(save):
    x = np.arange(25, dtype=np.float32).reshape(25, 1)
    splits = load(save(x_train=x, y_train=np.arange(25), x_val=x[:4]))
    assert [len(part) for part in parts(splits)] == [23, 4, 2]
    np.testing.assert_array_equal(np.sort(np.concatenate([splits.train.labels, splits.test.labels])), np.arange(25))
    np.testing.assert_array_equal(splits.test.raw[:, 0], splits.test.labels)
    splits = load(save(x_train=x[:2]))
    assert (len(splits.train), splits.validation, len(splits.test)) == (1, None, 1)
    with pytest.raises(DataError, match="too few"):
        load(save(x_train=x[:1]))


@pytest.mark.parametrize(
    ("array", "num_levels"),
    [
        (np.eye(4, dtype=bool), 2),
        (np.eye(4, dtype=np.uint8), 2),
        (np.eye(4, dtype=np.int64), 2),
        (np.eye(4, dtype=np.uint8) * 2, 256),
        (np.eye(4, dtype=np.float64), 2),
        (np.eye(4, dtype=np.float64) / 2, None),
        (np.eye(4, dtype=">f4") / 2, None),
        (np.eye(4, dtype=np.float16) / 2, None),
    ],
)
def test_types(save, array, num_levels):
    splits = load(save(x_train=array, x_test=array))
    assert splits.num_levels == num_levels
    assert splits.train.raw.dtype == (np.float32 if num_levels is None else np.uint8)
    scale = 1 if num_levels is None else num_levels - 1
    np.testing.assert_array_equal(splits.train.x, array.astype(np.float32) / np.float32(scale))


def test_levels_count_over_all_splits(save):
    dark = np.zeros((4, 2), np.uint8)
    splits = load(save(x_train=dark, x_test=dark + 200))
    assert splits.train.num_levels == splits.test.num_levels == 256


@pytest.mark.parametrize(
    ("shape", "event_shape"),
    [
        ((6, 5), (5,)),
        ((6, 5, 4), (5, 4, 1)),
        ((6, 5, 4, 3), (5, 4, 3)),
        ((6, 5, 4, 7), (5, 4, 7)),
        ((6, 2, 5, 4, 3), (2, 5, 4, 3)),
    ],
)
def test_shapes(save, shape, event_shape):
    assert load(save(np.zeros(shape, np.uint8))).event_shape == event_shape


def test_column_order_of_the_file_does_not_matter(save, rng):
    x = np.asfortranarray(rng.random((6, 5, 4), dtype=np.float32))
    splits = load(save(x_train=x, x_test=x))
    np.testing.assert_array_equal(splits.train.raw[..., 0], x)


def test_not_finite_says_how_many_and_where(save):
    x = np.zeros((20, 3))
    x[7, 1], x[9, 0], x[9, 2] = np.nan, np.inf, 1e300
    with pytest.raises(DataError, match=r"\(train\) has 3 values that are not finite.*index \(7, 1\): nan"):
        load(save(x_train=x, x_test=x))


@pytest.mark.parametrize("dtype", [np.int64, np.uint16, np.int8])
def test_other_integers_say_how_to_scale(save, dtype):
    x = np.array([[0, 1], [2, 3], [4, 100]], dtype)
    with pytest.raises(DataError, match=r"from 0 to .*astype"):
        load(save(x_train=x, x_test=x))


def test_negative_integers(save):
    with pytest.raises(DataError, match="from -1 to 1"):
        load(save(np.array([[0, 1], [1, -1], [0, 1]])))


@pytest.mark.parametrize("array", [np.zeros((4, 2), complex), np.full((4, 2), "a"), np.zeros((4, 2), "M8[s]")])
def test_types_that_are_no_numbers(save, array):
    with pytest.raises(DataError, match="not a plain number"):
        load(save(array))


def test_named_fields(save):
    with pytest.raises(DataError, match=r"has named fields, \('a', 'b'\).*structured_to_unstructured"):
        load(save(np.zeros(4, [("a", "f4"), ("b", "f4")])))


@pytest.mark.parametrize("shape", [(4, 0), (4, 3, 0)])
def test_empty_axis(save, shape):
    with pytest.raises(DataError, match="is empty"):
        load(save(np.zeros(shape)))


def test_no_examples(save):
    with pytest.raises(DataError, match="has 0 training examples"):
        load(save(np.zeros((0, 4))))
    with pytest.raises(DataError, match=r"\(test\) is empty"):
        load(save(x_train=np.zeros((4, 4)), x_test=np.zeros((0, 4))))


@pytest.mark.parametrize("shape", [(), (5,)])
def test_no_event_axis(save, shape):
    with pytest.raises(DataError, match=r"no event axis.*reshape|too few"):
        load(save(np.zeros(shape)))


def test_splits_of_different_shapes(save):
    with pytest.raises(DataError, match=r"differ in event shape.*'train': \(3,\)"):
        load(save(x_train=np.zeros((4, 3)), x_test=np.zeros((4, 2))))


def test_splits_of_different_kinds(save):
    with pytest.raises(DataError, match=r"mix levels and floats.*'test': 'uint8'"):
        load(save(x_train=np.zeros((4, 3)), x_test=np.zeros((4, 3), np.uint8)))


@pytest.mark.parametrize("labels", [np.zeros(10), np.zeros((10, 10), int)])
def test_labels_that_are_no_class_numbers(save, labels):
    with pytest.raises(DataError, match="one integer class number"):
        load(save(x=np.zeros((10, 2)), y=labels))


def test_labels_of_another_length(save):
    with pytest.raises(DataError, match=r"labels of shape \(9,\) for data of shape \(10, 2\)"):
        load(save(x=np.zeros((10, 2)), y=np.zeros(9, int)))
    with pytest.raises(DataError, match=re.escape("shape (4,). Store them so")):
        load(save(x_train=np.zeros((4, 2)), y_train=np.zeros(5, int), x_test=np.zeros((4, 2))))


@pytest.mark.parametrize("keys", [("a", "b"), ("x_test", "y_test"), ("x_tain", "x_test"), ("y",)])
def test_unknown_form_lists_what_is_there(save, keys):
    with pytest.raises(DataError, match=re.escape(f"Received: {sorted(keys)}")):
        load(save(**{key: np.zeros((4, 2)) for key in keys}))


def test_validation_stored_twice(save):
    x = np.zeros((4, 2))
    with pytest.raises(DataError, match=r"validation split more than once.*\['x_valid', 'x_val'\]"):
        load(save(x_train=x, x_val=x, x_valid=x))


def test_objects_are_never_unpickled(tmp_path):
    for name in ("own.npy", "own.npz"):
        buffer = io.BytesIO()
        array = np.array([[1, "a"], [None, 2]], dtype=object)
        np.save(buffer, array) if name.endswith("npy") else np.savez(buffer, x=array)
        (tmp_path / name).write_bytes(buffer.getvalue())
        with pytest.raises(DataError, match="does not load because unpickling runs code"):
            load(tmp_path / name)
    (tmp_path / "own.npy").write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(DataError, match="unpickling"):
        load(tmp_path / "own.npy")


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 and no more", b"\x93NUMPY\x01\x00"])
@pytest.mark.parametrize("name", ["own.npy", "own.npz"])
def test_damaged_files(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match="cannot be read") as caught:
        load(tmp_path / name)
    assert caught.value.__cause__ is not None


def test_truncated_files(save):
    x = np.random.default_rng(0).random((50, 8))
    for path in (save(x), save(x=x)):
        path.write_bytes(path.read_bytes()[:-1500])
        with pytest.raises(DataError, match="cannot be read"):
            load(path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(DataError, match=r"There is no file .*gone\.npz"):
        load(tmp_path / "gone.npz")
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(DataError, match=r"There is no file"):
        load(tmp_path / "folder.npz")


def test_relative_path_starts_in_data_dir(save):
    path = save(np.zeros((10, 2), np.uint8))
    assert len(load("own.npy", data_dir=path.parent).train) == 8


def test_other_endings_name_the_forms(tmp_path):
    with pytest.raises(DataError, match=r"path of a table, such as a \.csv file, or of a \.npy or \.npz file"):
        load(tmp_path / "own.bin")


def test_files_that_are_there_and_not_read_say_how_to_go_on(tmp_path):
    cases = {
        "t.xlsx": r"Tables in \.xlsx.*pandas\.read_excel\(PATH\)\.to_csv\('data\.csv', index=False\)",
        "p.JP2": r"'\.JP2' are not.*numpy\.save\('data\.npy', ",
        "n": r"without a suffix.*numpy\.save\('data\.npy', ",
    }
    for name, words in cases.items():
        (tmp_path / name).write_text("1,2\n")
        for refuse in (load, check_name):
            with pytest.raises(DataError, match=f"{name} exists but cannot be read.*{words}"):
                refuse(tmp_path / name)
    with pytest.raises(DataError, match="has no shards and no images"):
        load(tmp_path)
    (tmp_path / "p.JPG").write_text("1,2\n")
    with pytest.raises(DataError, match=f"p.JPG is a single file. Give the folder of all images: {tmp_path}"):
        load(tmp_path / "p.JPG")
    for refuse in (load, check_name):
        with pytest.raises(DataError, match="name or path is empty"):
            refuse("")


@pytest.mark.parametrize("name", ["~nosuchuser/x.npy", "a\0.npy", "a" * 5000, "a" * 5000 + "/b.npz", ""])
def test_names_that_are_no_paths(name):
    for refuse in (load, check_name, load_examples):
        with pytest.raises(DataError) as refused:
            refuse(name)
        assert "\n" not in str(refused.value)
        assert len(str(refused.value)) < 1000


@pytest.mark.parametrize("split", ["__class__", "name", "", "tset"])
def test_splits_that_do_not_exist(split):
    with pytest.raises(DataError, match=r"must be one of train, validation, test\. Received: split="):
        load_examples("digits", split=split)


# Damage that is not noise --------------------------------------------------------------------------------------------


def npy(shape, content=b"\0" * 400, descr="<f4"):
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


def archive(members, method=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def encrypted(content):
    """As if: the bit that says so is set, in both headers of the one member."""
    content = bytearray(content)
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1
    return bytes(content)


GOOD = npy("(10, 10)")


@pytest.mark.parametrize("name", ["own.npy", "own.npz"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (npy("(10, 1e40)"), "shape"),
        (npy("(10, 10000000000000000000000000000000000000000)"), "has 400"),
        (npy("(10, -10)"), "negative length"),
        (npy("(-1, 10)"), "negative length"),
        (npy("(True, 10)"), "not an integer in its shape, (True, 10)"),
        (npy("(10, 10"), "cannot be read"),
        (npy("(" * 5000), "cannot be read"),
        (npy("(10, 11)"), "declares 440 bytes"),
        (npy("(10, 10)", descr="|O"), "has Python objects"),
        (npy("(10, 10)", descr="nonsense"), "cannot be read"),
        (npy("(10, 10)", descr="V999999999"), "declares"),
        (b"\x93NUMPY\x03\x00" + GOOD[8:], "version 3.0"),
        (b"\x93NUMPY\x09\x00" + GOOD[8:], "cannot be read"),
    ],
)
def test_headers_that_cannot_be_right(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(archive({"x.npy": content}) if name.endswith("z") else content)
    assert words in one_refusal(path)


@pytest.mark.parametrize("name", ["own.npy", "own.npz"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (archive({"x.npy": b"no array"}), "cannot be read"),
        (archive({"readme.txt": b"no array"}), "in no known form"),
        (archive({}), "in no known form"),
        (encrypted(archive({"x.npy": GOOD})), "encrypted"),
        (archive({"x.npy": GOOD}, zipfile.ZIP_LZMA)[:-300], "cannot be read"),
        (archive({"x.npy": GOOD}).replace(b"\x08\x00", b"\x63\x00"), "cannot be read"),
        (archive({f"{i}.npy": GOOD for i in range(300)}), "in no known form"),
    ],
)
def test_archives_that_cannot_be_right(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    assert words in one_refusal(path)


def one_refusal(path):
    with pytest.raises(DataError) as refused:
        load(path)
    text = str(refused.value)
    assert str(path) in text
    assert "\n" not in text
    assert len(text) < 1200
    with contextlib.suppress(DataError):  # what the values tell, the headers do not
        check_name(path)
    return text


def test_damage_in_the_values(tmp_path):
    content = bytearray(archive({"x.npy": np.random.default_rng(0).bytes(90) and GOOD[:-400] + bytes(range(200)) * 2}))
    middle = content.index(b"x.npy") + 150
    content[middle : middle + 9] = b"\xff" * 9
    (tmp_path / "own.npz").write_bytes(content)
    assert "cannot be read" in one_refusal(tmp_path / "own.npz")


def test_any_method_of_compression_and_other_members_are_read(tmp_path):
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        (tmp_path / "own.npz").write_bytes(archive({"x.npy": GOOD, "readme.txt": b"no array"}, method))
        assert load(tmp_path / "own.npz").event_shape == (10,)
    (tmp_path / "own.npy").write_bytes(GOOD + b"another array after it")
    assert load(tmp_path / "own.npy").event_shape == (10,)


def test_what_unpacks_to_more_than_there_is_room_for_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "own.npz"
    np.savez_compressed(path, x=np.zeros((1000, 1000)), other=np.zeros((1000, 1000)))
    monkeypatch.setattr(_memory, "available_memory", lambda: 16_020_000)
    assert len(load(path).train) == 800  # the other is left where it is
    monkeypatch.setattr(_memory, "available_memory", lambda: 16_019_999)
    monkeypatch.setattr(np, "load", None)
    with pytest.raises(MemoryError, match=r"own.npz \(x\) needs 16.0 MB, but only 16.0 MB of memory.*tfvae data shard"):
        load(path)
    np.savez_compressed(path, x=np.zeros((1000, 1000), complex))
    with pytest.raises(DataError, match="not a plain number"):  # before anything is read
        load(path)


def test_the_copies_that_loading_makes_count(tmp_path, monkeypatch):
    """The values themselves, and a shuffled copy, an order of the examples or float32 values, whatever is largest."""
    path, half = tmp_path / "own.npz", np.zeros((1000, 1000), "f2")
    cases = (
        ({"x": half}, 8_000_000),  # float32 values and two masks
        ({"x": half[:, :1]}, 24_000),  # the order of the examples
        ({"x": half.astype("u1"), "y": np.zeros(1000, "u1")}, 2_030_000),
        ({"x_train": half.astype("u1"), "x_test": half.astype("u1")}, 2_000_000),  # nothing is cut off
    )
    for arrays, peak in cases:
        np.savez_compressed(path, **arrays)
        monkeypatch.setattr(_memory, "available_memory", lambda peak=peak: peak)
        check_name(path)
        assert load(path).event_shape == arrays.get("x", half).shape[1:]
        monkeypatch.setattr(_memory, "available_memory", lambda peak=peak: peak - 1)
        for refuse in (load, check_name):
            with pytest.raises(MemoryError, match=r"Loading .*own\.npz \(x.*of memory are available"):
                refuse(path)


@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_what_the_first_rows_tell_is_told_before_the_others_are_read(tmp_path, monkeypatch, ending):
    x, path = np.zeros((3000, 100)), tmp_path / f"own.{ending}"
    x[7, 3], x[2999, 1] = np.nan, np.nan

    def write(array):
        np.save(path, array) if ending == "npy" else np.savez_compressed(path, x=array)

    for order, words in (("C", r"a value that is not finite in float32, at index \(7, 3\)"), ("F", "has 2 values")):
        write(np.asarray(x, order=order))
        with pytest.raises(DataError, match=words):
            load(path)
    write(np.nan_to_num(x) + 0.5)
    assert len(load(path).train) == 2400
    write(np.full((3000, 100), 7))
    monkeypatch.setattr(np, "load", None)
    for refuse in (load, check_name):
        with pytest.raises(DataError, match="integers of type int64 from 7 to 7"):
            refuse(path)


def test_what_small_arrays_hold_is_told_before_tensorflow_is_imported(save):
    x = np.full((20, 3), 0.5)
    check_name(save(x))
    x[19, 2] = np.nan
    for path in (save(x), save(x_train=np.full((2**20, 1), 0.5), x_test=x), save(x=np.asarray(x, order="F"))):
        with pytest.raises(
            DataError, match=r"has 1 values that are not finite in float32, the first at index \(19, 2\)"
        ):
            check_name(path)


def test_how_much_memory_is_free():
    assert _memory.available_memory() is None or _memory.available_memory() > 10**6


def test_real_colour_images(find_archives):
    splits = load(find_archives("cifar10_subset.npz") / "cifar10_subset.npz")
    assert (len(splits.train), splits.validation, len(splits.test)) == (5000, None, 1000)
    assert splits.event_shape == (32, 32, 3)
    assert splits.train.labels[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]


@pytest.mark.parametrize("kind", ["csr_matrix", "csc_array", "coo_array", "dia_matrix"])
def test_sparse_matrices_are_read_as_their_rows(tmp_path, kind):
    x = np.diag([0.5, 2.0, 1.5, 3.0])[:, :3]
    scipy.sparse.save_npz(tmp_path / "x.npz", getattr(scipy.sparse, kind)(x))
    np.testing.assert_array_equal(load_examples(tmp_path / "x.npz").x, x)


@pytest.mark.parametrize(
    "damage",
    [
        {"indices": np.array([0, 7000], "int32")},
        {"indptr": np.array([0, 1, 9000, 2], "int32")},
        {"format": np.array(b"zzz")},
        {"shape": np.array([10**9, 10**9])},
        {"shape": np.array([3, 10**9])},
    ],
)
def test_damaged_sparse_matrices_are_refused(tmp_path, damage):
    matrix = scipy.sparse.csr_matrix(np.array([[0, 1.0], [0, 0], [2.0, 0]]))
    parts = {"data": matrix.data, "indices": matrix.indices, "indptr": matrix.indptr, "shape": np.array([3, 2])}
    np.savez(tmp_path / "x.npz", **{**parts, "format": np.array(b"csr"), **damage})
    with pytest.raises(DataError, match=r"x\.npz"):
        tfvae.data.load(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("values", "advice"),
    [
        (np.full((4, 2), 65535, "uint16"), r"/ 65535"),
        (np.full((4, 2), 300), r"Store counts and other numbers with astype\('float32'\)"),
        (np.full((4, 2), 200), r"astype\('uint8'\)"),
        (np.full((4, 2), -3), r"astype\('float32'\)"),
    ],
)
def test_advice_for_integers_does_not_wrap_round(tmp_path, values, advice):
    np.save(tmp_path / "x.npy", values)
    with pytest.raises(DataError, match=advice) as caught:
        tfvae.data.load(tmp_path / "x.npy")
    assert ("uint8')" in str(caught.value)) == (0 <= values.min() and values.max() <= 255)


def test_masked_values_are_refused(tmp_path):
    masked = np.ma.masked_less(np.arange(8, dtype="float32").reshape(4, 2), 2)
    for way_in in (
        lambda: tfvae.data.Split(masked),
        lambda: tfvae.data.write_shards(masked, tmp_path / "shards"),
        lambda: tfvae.data.Split(masked.data, np.ma.masked_array([0, 1, 2, 3], [True, False, False, False])),
    ):
        with pytest.raises(DataError, match="masked"):
            way_in()
    assert not list(tmp_path.iterdir())
    assert len(tfvae.data.Split(np.ma.masked_array(masked.data))) == 4  # nothing is masked
