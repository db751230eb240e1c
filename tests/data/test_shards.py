"""Shards: written and read back whole, streamed in an order that a seed fixes, refused when they are not whole."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
import tensorflow as tf
from slow import slow_except

from tfvae.data import (
    DataError,
    ShardedSplit,
    Split,
    Splits,
    load,
    load_examples,
    shard_batches,
    shard_blocks,
    write_shards,
)
from tfvae.data.shard_header import ShardHeader


def numbered(num_examples, name="numbered"):
    """Examples (3, 2, 1) that say their own number, with the number as label."""
    number = np.arange(num_examples)
    raw = np.stack([number // 199, number % 199, number % 7, number % 11, number * 0, number % 13], axis=1)
    return Split(raw.reshape(-1, 3, 2, 1).astype(np.uint8), labels=number, num_levels=200, name=name)


def numbers(x):
    raw = np.rint(np.asarray(x) * 199).astype(int)
    return raw[:, 0, 0, 0] * 199 + raw[:, 0, 1, 0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """1,003 training examples in shards of 90 (the last has 13), 47 to validate and 31 to test with."""
    splits = Splits("numbered", numbered(1003), numbered(47), numbered(31))
    return write_shards(splits, tmp_path_factory.mktemp("data") / "shards", shard_size=90, seed=3)


@pytest.fixture
def train(folder):
    return load(folder).train


@pytest.fixture
def small_blocks(monkeypatch):
    """Shards of a few examples have many blocks and windows, as large ones have."""
    monkeypatch.setattr(shard_blocks, "_BLOCK_BYTES", 100)
    monkeypatch.setattr(shard_batches, "_WINDOW_BYTES", 3000)
    monkeypatch.setattr(shard_batches, "_NUM_OPEN_FILES", 4)


def epoch(batches):
    return np.concatenate([x.numpy() for x in batches])


# Writing and reading back ---------------------------------------------------------------------------------------------


def test_what_is_written_is_read(folder):
    names = sorted(path.name for path in folder.iterdir())
    assert names[:2] == ["shards.json", "test-00000-of-00001.tfrecord"]
    assert names[2] == "train-00000-of-00012.tfrecord"
    assert names[-1] == "validation-00000-of-00001.tfrecord"
    assert len(names) == 15
    # 6 values, a label, and the 16 bytes that TFRecord puts round every record.
    assert (folder / names[2]).stat().st_size == 90 * (6 + 8 + 16)
    splits = load(folder)
    assert splits.name == "numbered"
    assert isinstance(splits.train, ShardedSplit)
    assert isinstance(splits.test, Split)
    assert "1003 examples of shape (3, 2, 1) in 12 files, 200 levels, labels" in repr(splits.train)
    for split, n in ((splits.validation, 47), (splits.test, 31)):
        assert (split.num_levels, split.event_shape) == (200, (3, 2, 1))
        np.testing.assert_array_equal(split.raw, numbered(n).raw)
        np.testing.assert_array_equal(split.labels, np.arange(n))
    train = splits.train.take(5000)
    assert train.name == "numbered/train"
    assert not np.array_equal(train.labels, np.arange(1003))  # shuffled
    np.testing.assert_array_equal(np.sort(train.labels), np.arange(1003))
    np.testing.assert_array_equal(train.raw, numbered(1003).raw[train.labels])
    np.testing.assert_array_equal(splits.train.labels, train.labels)
    few = splits.train.take(95)  # more than one file
    np.testing.assert_array_equal(few.raw, train.raw[:95])
    assert few.name == "numbered/train[:95]"
    assert load_examples(folder, split="validation").name == "numbered/validation"


def test_floats_vectors_and_no_labels(tmp_path):
    x = np.random.default_rng(0).normal(size=(50, 5)).astype("float32")
    mapping = {"train": x[:40], "test": x[40:].astype("float64")}
    splits = load(write_shards(mapping, tmp_path / "floats", shard_size=7))
    assert (splits.train.num_levels, splits.train.has_labels, splits.train.labels) == (None, False, None)
    assert splits.train.value_range == (x.min(), x.max())
    assert not splits.train.in_unit_interval
    assert splits.validation is None
    np.testing.assert_array_equal(splits.test.raw, x[40:])
    found = splits.train.take(40).raw
    np.testing.assert_array_equal(found[found[:, 0].argsort()], x[:40][x[:40, 0].argsort()])


@pytest.mark.parametrize("dtype", slow_except(["uint8", "bool", "int64", "float32"], "bool", "float32"))
def test_zeros_and_ones_of_any_type_are_binary(dtype, tmp_path):
    x = (np.random.default_rng(0).random((40, 4, 3)) > 0.3).astype(dtype)
    splits = load(write_shards({"train": x}, tmp_path / "shards"))
    assert splits.train.is_binary
    assert splits.event_shape == (4, 3, 1)
    got = splits.train.take(40)
    assert got.raw.dtype == np.uint8
    assert sorted(map(bytes, got.raw)) == sorted(map(bytes, x.astype("uint8")))
    assert set(np.unique(epoch(splits.train.batches(7, shuffle=True)))) == {0.0, 1.0}


def test_one_array_is_cut_as_a_file_is(tmp_path):
    x = numbered(1000).raw
    splits = load(write_shards(x, tmp_path / "a", shard_size=100, seed=1))
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (800, 100, 100)
    parts = [
        numbers(split.take(1000).raw / np.float32(199)) for split in (splits.train, splits.validation, splits.test)
    ]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(1000))
    np.testing.assert_array_equal(parts[1], np.sort(parts[1]))  # in their own order
    assert splits.num_levels == 256
    again, other = (
        load(write_shards(x, tmp_path / name, shard_size=100, seed=seed)) for name, seed in (("b", 1), ("c", 2))
    )
    np.testing.assert_array_equal(again.train.take(800).raw, splits.train.take(800).raw)
    np.testing.assert_array_equal(again.test.raw, splits.test.raw)
    assert not np.array_equal(other.test.raw, splits.test.raw)


def test_training_examples_of_an_array_come_from_everywhere(tmp_path):
    """Of sorted data, every shard has examples of every tenth."""
    splits = load(write_shards(numbered(20_000), tmp_path / "shards", shard_size=2_000))
    tenths = splits.train.labels.reshape(10, 2_000) // 2_000
    counts = np.array([np.bincount(shard, minlength=10) for shard in tenths])
    assert counts.min() > 50


def test_streams(tmp_path):
    """Of batches, with labels and without; each file has its own stretch of the stream, shuffled."""
    split = numbered(300)
    pairs = tf.data.Dataset.from_tensor_slices((split.raw, split.labels.astype("int32"))).batch(37)
    got = load(write_shards({"train": pairs, "test": pairs.take(2)}, tmp_path / "pairs", shard_size=100))
    assert got.num_levels == 256
    np.testing.assert_array_equal(got.test.raw, split.raw[:74])
    np.testing.assert_array_equal(got.test.labels, np.arange(74))
    shards = got.train.labels.reshape(3, 100)
    np.testing.assert_array_equal(np.sort(shards), np.arange(300).reshape(3, 100))
    assert (shards != np.arange(300).reshape(3, 100)).any(axis=1).all()
    only_x = load(write_shards(pairs.map(lambda x, y: tf.cast(x, tf.float32) / 199.0), tmp_path / "x"))
    assert (only_x.num_levels, only_x.train.has_labels) == (None, False)
    assert only_x.train.in_unit_interval
    np.testing.assert_array_equal(np.sort(numbers(only_x.train.take(300).raw)), np.arange(300))


def test_shards_are_a_source_too(folder, tmp_path):
    splits = load(write_shards(load(folder), tmp_path / "again", shard_size=400))
    assert (splits.name, splits.num_levels, len(splits.train.files)) == ("numbered", 200, 3)
    np.testing.assert_array_equal(np.sort(splits.train.labels), np.arange(1003))
    np.testing.assert_array_equal(splits.test.raw, numbered(31).raw)


def test_real_images(digits, tmp_path):
    few = Splits("digits", digits.train.take(1000), None, digits.test)
    splits = load(write_shards(few, tmp_path / "digits", shard_size=300))
    np.testing.assert_array_equal(splits.test.raw, few.test.raw)
    np.testing.assert_array_equal(splits.test.labels, few.test.labels)
    read = splits.train.take(1000)
    np.testing.assert_array_equal(np.bincount(read.labels), np.bincount(few.train.labels))
    np.testing.assert_array_equal(read.raw.sum(axis=0, dtype=int), few.train.raw.sum(axis=0, dtype=int))
    total = sum(file.stat().st_size for file in (tmp_path / "digits").iterdir())
    assert total < 1360 * (64 + 8 + 16) + 2000


# Batches --------------------------------------------------------------------------------------------------------------


def test_batches_in_order(train):
    np.testing.assert_array_equal(epoch(train.batches(64)), train.take(1003).x)
    assert [len(x) for x in train.batches(5000, shuffle=True)] == [1003]
    batches = train.batches(64, labels=True, drop_remainder=True)
    assert batches.element_spec == (tf.TensorSpec((64, 3, 2, 1), tf.float32), tf.TensorSpec((64,), tf.int64))
    assert batches.cardinality() == 15
    np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), train.labels[:960])


@pytest.mark.parametrize(
    ("shuffle", "noise"),
    slow_except(
        [(False, {"binarize": "dynamic"}), (True, {}), (True, {"binarize": "static"}), (True, {"dequantize": True})],
        (False, {"binarize": "dynamic"}),
        (True, {"binarize": "static"}),
    ),
)
def test_specs_and_sizes(train, noise, shuffle, small_blocks):
    batches = train.batches(100, shuffle=shuffle, labels=True, **noise)
    assert batches.element_spec == (tf.TensorSpec((None, 3, 2, 1), tf.float32), tf.TensorSpec((None,), tf.int64))
    assert batches.cardinality() == 11
    assert [len(y) for _, y in batches] == [100] * 10 + [3]
    batches = train.batches(100, shuffle=shuffle, drop_remainder=True, **noise)
    assert batches.element_spec == tf.TensorSpec((100, 3, 2, 1), tf.float32)
    assert [len(x) for x in batches] == [100] * 10


def test_every_pass_has_each_example_once_in_an_order_of_its_own(train, small_blocks):
    batches = train.batches(64, shuffle=True, seed=5, labels=True)
    passes = []
    for _ in range(3):
        x, y = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        np.testing.assert_array_equal(numbers(x), y)
        np.testing.assert_array_equal(np.sort(y), np.arange(1003))
        passes.append(y)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        # Orders without relation agree in one place on average.
        assert (passes[i] == passes[j]).sum() < 12
    # The same sequence of passes, whether they are asked for one by one or on end, from any pass on.
    again = train.batches(64, shuffle=True, seed=5, labels=True)
    iter(again)
    y = np.concatenate([y for _, y in again.repeat(2)])
    np.testing.assert_array_equal(y, np.concatenate(passes[1:]))
    other = np.concatenate([y for _, y in train.batches(64, shuffle=True, seed=6, labels=True)])
    assert (other == passes[0]).sum() < 12


def test_global_seed_plays_no_part(train, small_blocks):
    found = []
    for seed in (1, 2):
        tf.random.set_seed(seed)
        found.append(epoch(train.batches(64, shuffle=True, binarize="dynamic", seed=2)))
    np.testing.assert_array_equal(*found)


@pytest.mark.slow
def test_the_same_in_another_process(train, folder):
    code = (
        "import tfvae, hashlib; b = tfvae.data.load({!r}).train.batches(64, shuffle=True, dequantize=True, seed=4)\n"
        "for _ in range(2): print(hashlib.sha256(b''.join(x.numpy().tobytes() for x in b)).hexdigest())"
    )
    command = [sys.executable, "-c", code.format(str(folder))]
    there = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout.split()
    batches = train.batches(64, shuffle=True, dequantize=True, seed=4)
    first, second = epoch(batches), epoch(batches)
    assert not np.array_equal(np.sort(first.ravel()), np.sort(second.ravel()))  # noise of its own
    assert there == [hashlib.sha256(x.tobytes()).hexdigest() for x in (first, second)]


@pytest.mark.slow
def test_passes_mix_far_examples(folder, train, small_blocks):
    """Each batch has examples of several files, and where an example comes is not where it came before."""
    file_of = np.empty(1003, int)
    file_of[train.labels] = np.arange(1003) // 90
    batches = train.batches(50, shuffle=True, labels=True)
    assert all(len(np.unique(file_of[y])) >= 3 for _, y in batches.take(20))  # the last has three examples
    places = [np.argsort(np.concatenate([y for _, y in batches])) for _ in range(12)]
    # A uniform place has standard deviation n / sqrt(12); files and windows in random order come near to it.
    assert np.mean(np.std(places, axis=0)) > 0.85 * 1003 / np.sqrt(12)


@pytest.mark.slow
def test_a_window_over_everything_is_a_uniform_order(train):
    batches = train.batches(1003, shuffle=True, labels=True, shuffle_buffer=1003)
    places = np.array([np.argsort(y) for _, y in batches.repeat(40)])
    # Over 40 passes the mean place of each example is normal; its square sums to a chi-square over examples.
    z = (places.mean(axis=0) - 501) / np.sqrt((1003**2 - 1) / 12 / 40)
    assert abs((z**2).mean() - 1) < 5 * np.sqrt(2 / 1003)


@pytest.mark.slow
def test_noise_has_the_right_mean(train):
    x = train.take(1003).x.astype(np.float64)
    batches = train.batches(64, binarize="dynamic", seed=1)
    drawn = [epoch(batches) for _ in range(2)]
    assert not np.array_equal(*drawn)
    for values in (*drawn, epoch(train.binarized(seed=1).batches(64))):
        assert set(np.unique(values)) == {0.0, 1.0}
        assert abs((values - x).mean()) < 5 * np.sqrt((x * (1 - x)).sum()) / x.size
    spread = epoch(train.batches(64, dequantize=True))
    np.testing.assert_array_equal(np.floor(spread * np.float32(200)), train.take(1003).raw)
    u = spread.astype(np.float64) * 200 - train.take(1003).raw
    assert abs(u.mean() - 0.5) < 5 * np.sqrt(1 / 12 / u.size)


@pytest.mark.parametrize("kind", slow_except(["binarized", "dequantized", "thresholded"], "dequantized"))
def test_fixed_draws_belong_to_the_example(train, kind, small_blocks):
    """Whatever the batch size, the order and the pass; and `take` has the same."""
    fixed = train.thresholded(0.25) if kind == "thresholded" else getattr(train, kind)(seed=2)
    taken = fixed.take(1003)
    assert (taken.num_levels, fixed.num_levels) == ((None,) * 2 if kind == "dequantized" else (2, 2))
    assert fixed.in_unit_interval
    for batches in (fixed.batches(17, labels=True), fixed.batches(64, shuffle=True, labels=True)):
        x, y = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        np.testing.assert_array_equal(x[np.argsort(y)], taken.x[np.argsort(taken.labels)])
    if kind == "thresholded":
        np.testing.assert_array_equal(taken.raw, train.take(1003).x > 0.25)
    else:
        other = getattr(train, kind)(seed=3).take(1003)
        assert (other.raw != taken.raw).any()
        np.testing.assert_array_equal(getattr(train, kind)(seed=2).take(1003).raw, taken.raw)


def test_draws_over_draws_are_independent(train):
    """Binarised, then dequantised, with one seed: the noise is not that of the first draw."""
    y = train.binarized(seed=2).dequantized(seed=2).take(1003).raw
    first = train.binarized(seed=2).take(1003).raw
    np.testing.assert_array_equal(np.floor(y * 2), first)
    u = (y.astype(np.float64) * 2 - first)[first == 1]
    assert abs(u.mean() - 0.5) < 5 * np.sqrt(1 / 12 / u.size)


def test_arguments_that_cannot_work(train, tmp_path):
    with pytest.raises(TypeError, match=r"must be an integer.*2\.5"):
        train.batches(2.5)
    with pytest.raises(TypeError, match="data seed"):
        train.binarized(seed=2.5)
    with pytest.raises(ValueError, match=r"leaves no batch.*1003 examples"):
        train.batches(1004, drop_remainder=True)
    with pytest.raises(ValueError, match="`shuffle_buffer` must be an integer of at least 1"):
        train.batches(10, shuffle=True, shuffle_buffer=0)
    with pytest.raises(ValueError, match="`n` must be an integer of at least 1"):
        train.take(0)
    wide = load(write_shards({"train": np.float32([[0, 2], [1, 1.5]])}, tmp_path / "wide")).train
    for ask in (lambda: wide.batches(1, binarize="dynamic"), lambda: wide.binarized(0), wide.thresholded):
        with pytest.raises(DataError, match=r"wide/train cannot be binarized.*from 0\.0 to 2\.0"):
            ask()
    with pytest.raises(DataError, match="wide/train cannot be dequantized"):
        wide.dequantized(0)
    with pytest.raises(DataError, match="wide/train has no labels"):
        wide.batches(1, labels=True)


# Memory ---------------------------------------------------------------------------------------------------------------

_STREAM = """
    import os, sys, threading
    import numpy as np
    import tfvae
    from tfvae.data import shards, write_shards

    def own_megabytes():
        # Not the pages of mapped files, which the system takes back when it needs them.
        _, resident, shared, *_ = map(int, open("/proc/self/statm").read().split())
        return (resident - shared) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def most_during(work):
        before, seen, done = own_megabytes(), [0.0], threading.Event()
        def look():
            while not done.wait(0.005): seen.append(own_megabytes() - before)
        thread = threading.Thread(target=look)
        thread.start()
        work()
        done.set()
        thread.join()
        return max(seen)

    def stream(folder):
        for _ in tfvae.data.load(folder).train.batches(100, shuffle=True, binarize="dynamic").repeat(2): pass

    array, folder = sys.argv[1:]
    write_shards({"train": np.zeros((300, 64, 64, 1), "uint8")}, folder + "-small")
    stream(folder + "-small")  # what TensorFlow takes for good
    shards._SHARD_BYTES = 2**23
    print(most_during(lambda: write_shards({"train": np.load(array, mmap_mode="r")}, folder)))
    print(most_during(lambda: stream(folder)))
"""


@pytest.mark.slow
def test_memory_is_flat(tmp_path):
    """200 MB are written from an array on disk, and streamed twice."""
    array = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", "uint8", (51_200, 64, 64, 1))
    few = np.random.default_rng(0).integers(0, 256, (512, 64, 64, 1), np.uint8)
    for start in range(0, len(array), 512):
        array[start : start + 512] = few
    del array
    command = [sys.executable, "-c", textwrap.dedent(_STREAM), tmp_path / "x.npy", str(tmp_path / "shards")]
    # With several arenas, what glibc leaves unused between them blurs what is held.
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600, env=environment)
    assert all(float(growth) < 60 for growth in result.stdout.split())
    assert sum(path.stat().st_size for path in (tmp_path / "shards").iterdir()) > 200 * 2**20
    print(result.stdout)


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def change_header(folder, **changes):
    header = json.loads((folder / "shards.json").read_text())
    (folder / "shards.json").write_text(json.dumps(header | changes))


def swap(a, b):
    content = a.read_bytes()
    a.write_bytes(b.read_bytes())
    b.write_bytes(content)


SHARD = "train-00003-of-00012.tfrecord"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: (f / SHARD).unlink(), [SHARD, "missing", "write the shards again"]),
        (lambda f: os.truncate(f / SHARD, 2000), [SHARD, "damaged", "2700 bytes", "2000"]),
        (lambda f: (f / "shards.json").unlink(), ["no shards.json", "tfvae data shard", "write_shards"]),
        (lambda f: (f / "shards.json").write_text("{"), ["shards.json cannot be read"]),
        (lambda f: (f / "shards.json").write_text("[]"), ["not the header"]),
        (lambda f: change_header(f, version=3), ["version 3", "reads version 1 and 2"]),
        (lambda f: change_header(f, event_shape=[2, 2, 1]), ["train-00000", "(2, 2, 1)", "not the header"]),
        (lambda f: change_header(f, event_shape=[3, 2, 9], has_labels=False), ["train-00000", "damaged"]),
        (lambda f: change_header(f, event_shape=[14, 1], has_labels=False), ["the level", "num_levels 200"]),
        (lambda f: change_header(f, num_levels=20), ["train-00000", "num_levels 20"]),
        (lambda f: change_header(f, num_levels=1), ["num_levels cannot be 1"]),
        (lambda f: change_header(f, num_levels=None), ["train-00000", "num_levels None"]),
        (lambda f: change_header(f, num_examples={"train": [90]}), ["train-00000-of-00001.tfrecord", "missing"]),
        (lambda f: change_header(f, num_examples={"test": [31]}), ["num_examples cannot be"]),
        (lambda f: change_header(f, dtype="float16"), ["dtype cannot be"]),
        (lambda f: change_header(f, has_missing=1), ["has_missing cannot be 1"]),
        (lambda f: change_header(f, condition_shape=[0]), ["condition_shape cannot be"]),
        (lambda f: change_header(f, has_missing=True), ["train-00000", "damaged"]),
        (lambda f: change_header(f, class_names="ab"), ["class_names cannot be"]),
        (lambda f: change_header(f, schema=[1]), ["schema cannot be"]),
        (lambda f: change_header(f, value_range=[1, 0]), ["value_range cannot be"]),
        (lambda f: change_header(f, value_range=[0, 10**400]), ["value_range cannot be"]),
        (lambda f: change_header(f, num_examples={"train": [10**400]}), ["num_examples cannot be"]),
        (lambda f: change_header(f, checksums=[1]), ["shards.json cannot be read"]),
        (lambda f: change_header(f, checksums={"train": [1]}), ["train-00000", "not the one"]),
        (lambda f: (f / "shards.json").write_text("[" * 100_000), ["shards.json cannot be read", "too deeply"]),
        (lambda f: (f / "shards.json").write_bytes(b"\xff"), ["shards.json cannot be read"]),
        (lambda f: shutil.copy(f / "train-00001-of-00012.tfrecord", f / SHARD), [SHARD, "another shard was copied"]),
        (lambda f: swap(f / SHARD, f / "train-00001-of-00012.tfrecord"), ["train-00001", "another shard was copied"]),
    ],
)
def test_what_is_not_whole_is_refused(damage, words, copy):
    damage(copy)
    with pytest.raises(DataError) as refused:
        load(copy)
    for word in words:
        assert word in str(refused.value)
    assert len(str(refused.value)) < 700


def test_shards_of_earlier_versions_have_no_checksums(copy):
    header = json.loads((copy / "shards.json").read_text())
    del header["checksums"]
    (copy / "shards.json").write_text(json.dumps(header))
    assert len(load(copy).train.take(5000)) == 1003


@pytest.mark.parametrize("form", ["array", "split", "stream"])
def test_a_value_that_is_not_finite_is_told_by_its_place_in_all_data(form, tmp_path):
    x = np.zeros((4000, 5), "float32")
    x[3217, 2] = np.nan
    source = {
        "array": x,
        "split": {"train": x[:1], "test": x},
        "stream": {"train": tf.data.Dataset.from_tensor_slices(x).batch(100)},
    }[form]
    with pytest.raises(DataError, match=r"not finite in float32, at index \(3217, 2\): nan"):
        write_shards(source, tmp_path / "shards")


def test_another_writer_was_quicker(tmp_path, monkeypatch):
    write_header = ShardHeader.write

    def write(header, folder):
        write_header(header, folder)
        if not (tmp_path / "shards").exists():
            shutil.copytree(folder, tmp_path / "shards")

    monkeypatch.setattr(ShardHeader, "write", write)
    with pytest.raises(DataError, match="exists already"):
        write_shards(numbered(9), tmp_path / "shards")
    assert [path.name for path in tmp_path.iterdir()] == ["shards"]
    assert len(load(tmp_path / "shards").train) == 9


def test_a_link_to_a_folder_that_is_not_there_yet(tmp_path):
    (tmp_path / "link").symlink_to("disk")
    write_shards(numbered(9), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert len(load(tmp_path / "disk").train) == 9


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[20 * 30 + 14] ^= 1
    path.write_bytes(content)


def test_a_flipped_bit_is_found(copy):
    load(copy).train.check()
    flip_a_bit(copy / SHARD)
    train = load(copy).train  # sizes are right
    for read in (train.check, lambda: train.take(1003), lambda: train.labels):
        with pytest.raises(DataError, match=f"{SHARD} is missing or damaged: corrupted record at 612"):
            read()
    assert len(train.take(270)) == 270  # what comes before
    flip_a_bit(copy / "test-00000-of-00001.tfrecord")
    with pytest.raises(DataError, match=r"test-00000-of-00001\.tfrecord is missing or damaged"):
        load(copy)
    (copy / SHARD).unlink()
    with pytest.raises(DataError, match=f"{SHARD} is missing or damaged: .*No such file"):
        train.check()


def test_records_without_a_header(tmp_path):
    with tf.io.TFRecordWriter(str(tmp_path / "a.tfrecord")) as writer:
        writer.write(b"abc")
    with pytest.raises(DataError, match=r"no shards.json: the contents of its .tfrecord files.*write_shards"):
        load(tmp_path)
    with pytest.raises(DataError, match=r"Give the folder.*shards.json"):
        load(tmp_path / "a.tfrecord")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"The folder .*empty has no shards"):
        load(tmp_path / "empty")


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        (np.zeros((2, 3), "uint8"), DataError, "too few"),
        (np.zeros((9,), "uint8"), DataError, "no event axis"),
        ({"train": np.zeros((), "uint8")}, DataError, "no event axis"),
        (np.zeros((0, 4), "uint8"), DataError, "is empty"),
        (np.full((9, 2), 3), DataError, "integers of type int64"),
        (np.full((90, 2), np.nan, "float32"), DataError, "not finite"),
        ({"test": np.zeros((5, 2), "uint8")}, DataError, "need a split 'train'"),
        ({"train": np.zeros((5, 2), "uint8"), "tset": np.zeros((5, 2), "uint8")}, DataError, "tset"),
        ({"train": np.zeros((5, 2), "uint8"), "test": np.zeros((5, 3), "uint8")}, DataError, "belong together"),
        ({"train": np.zeros((5, 2), "uint8"), "test": np.full((5, 2), 0.5)}, DataError, "belong together"),
        ({"train": numbered(5), "test": numbered(5).binarized(0)}, DataError, "belong together"),
        ([[1, 2]], TypeError, "Received: list"),
        (tf.data.Dataset.from_tensor_slices(np.zeros((5, 28, 28), "uint8")), DataError, r"dataset\.batch"),
        (tf.data.Dataset.from_tensor_slices({"image": np.zeros((5, 2))}).batch(2), DataError, r"dataset\.map"),
        (tf.data.Dataset.from_tensor_slices(np.zeros((5, 2), "uint8")).batch(2).take(0), DataError, "empty"),
    ],
)
def test_what_cannot_be_written_leaves_nothing(source, error, words, tmp_path):
    with pytest.raises(error, match=words):
        write_shards(source, tmp_path / "shards")
    assert list(tmp_path.iterdir()) == []


def test_what_stands_there_is_kept(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "mine").write_text("x")
    with pytest.raises(DataError, match="exists already"):
        write_shards(numbered(9), tmp_path / "a")
    (tmp_path / "b").write_text("x")
    with pytest.raises(DataError, match="exists already"):
        write_shards(numbered(9), tmp_path / "b")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "mine"]
    (tmp_path / "c").mkdir()
    assert len(load(write_shards(numbered(9), tmp_path / "c")).train) == 9


@pytest.mark.slow
def test_a_killed_writer_leaves_no_folder(tmp_path):
    code = (
        "import sys, tfvae, numpy as np\n"
        "tfvae.data.write_shards({'train': np.zeros((300_000, 64), 'uint8')}, sys.argv[1], shard_size=100)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "shards")]) as process:
        deadline = time.monotonic() + 300
        while len(list(tmp_path.glob(".*/*"))) < 3 and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert list(tmp_path.glob(".shards.*.partial/train*"))
    assert not (tmp_path / "shards").exists()
    assert len(load(write_shards(numbered(9), tmp_path / "shards")).train) == 9
