"""Batches: shapes, order, noise, and that a seed fixes all of it."""

import hashlib
import itertools
import subprocess
import sys

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from slow import slow_except  # noqa: E402

from tfvae.data import DataError, Split  # noqa: E402
from tfvae.data.batches import Batches, endless  # noqa: E402


def epoch(dataset):
    return np.concatenate([x.numpy() for x in dataset])


def numbered(num_examples, num_levels=256):
    """Examples that say their own number in two levels, with the number as label."""
    number = np.arange(num_examples)
    raw = np.stack([number // num_levels, number % num_levels], axis=1).astype(np.uint8)
    return Split(raw, labels=number, num_levels=num_levels, name="numbered")


def numbers(x, num_levels=256):
    return np.rint(x * (num_levels - 1)).astype(int) @ [num_levels, 1]


def test_plain_batches_are_the_data_in_order(digits):
    batches = digits.test.batches(100)
    np.testing.assert_array_equal(epoch(batches), digits.test.x)
    np.testing.assert_array_equal(epoch(batches), digits.test.x)
    assert [len(x) for x in batches] == [100, 100, 100, 60]
    assert batches.cardinality() == 4
    assert batches.element_spec == tf.TensorSpec((None, 8, 8, 1), tf.float32)


NOISES = ({}, {"binarize": "dynamic"}, {"binarize": "static"}, {"dequantize": True})


@pytest.mark.parametrize(
    ("shuffle", "noise"),
    slow_except(
        itertools.product([False, True], NOISES),
        *((False, NOISES[0]), (True, NOISES[1]), (False, NOISES[2]), (True, NOISES[3])),
    ),
)
def test_specs_and_sizes(digits, noise, shuffle):
    batches = digits.test.batches(100, shuffle=shuffle, labels=True, **noise)
    assert batches.element_spec == (tf.TensorSpec((None, 8, 8, 1), tf.float32), tf.TensorSpec((None,), tf.int64))
    assert [len(y) for _, y in batches] == [100, 100, 100, 60]
    batches = digits.test.batches(100, shuffle=shuffle, labels=True, drop_remainder=True, **noise)
    assert batches.element_spec == (tf.TensorSpec((100, 8, 8, 1), tf.float32), tf.TensorSpec((100,), tf.int64))
    assert batches.cardinality() == 3
    assert [len(y) for _, y in batches] == [100, 100, 100]


def test_batch_larger_than_the_data(digits):
    assert [len(x) for x in digits.test.batches(1000, shuffle=True)] == [360]


def test_shuffle_yields_each_example_once_with_its_label():
    split = numbered(1003)
    pairs = list(split.batches(64, shuffle=True, labels=True))
    x = np.concatenate([x.numpy() for x, _ in pairs])
    y = np.concatenate([y.numpy() for _, y in pairs])
    np.testing.assert_array_equal(numbers(x), y)
    np.testing.assert_array_equal(np.sort(y), np.arange(1003))
    assert not np.array_equal(y, np.arange(1003))


def test_shuffle_is_uniform():
    """Where example 0 lands over many passes: mean and variance of a uniform place."""
    split = numbered(200)
    batches = split.batches(200, shuffle=True)
    places = np.array([int(np.argmin(numbers(x.numpy()))) for x in batches.repeat(300)])
    assert abs(places.mean() - 99.5) < 5 * np.sqrt((200**2 - 1) / 12 / 300)
    assert places.std() == pytest.approx(57.7, rel=0.25)


def test_every_pass_has_its_own_order_and_all_repeat_from_the_seed():
    split = numbered(500)
    first, again, other = (split.batches(64, shuffle=True, seed=seed) for seed in (3, 3, 4))
    passes = [numbers(epoch(first)) for _ in range(3)]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert not np.array_equal(passes[i], passes[j])
    for expected in passes:
        np.testing.assert_array_equal(numbers(epoch(again)), expected)
    assert not np.array_equal(numbers(epoch(other)), passes[0])


def test_repeat_goes_through_the_same_passes():
    split = numbered(100)
    batches = split.batches(30, shuffle=True)
    passes = [numbers(epoch(batches)) for _ in range(3)]
    repeated = numbers(epoch(split.batches(30, shuffle=True).repeat(3)))
    np.testing.assert_array_equal(repeated, np.concatenate(passes))


def test_labels_do_not_change_the_order_or_the_noise(digits):
    kwargs = {"shuffle": True, "binarize": "dynamic", "seed": 5}
    pairs = digits.train.batches(100, labels=True, **kwargs)
    np.testing.assert_array_equal(np.concatenate([x for x, _ in pairs]), epoch(digits.train.batches(100, **kwargs)))


@pytest.mark.parametrize("noise", [{"binarize": "dynamic"}, {"dequantize": True}])
def test_noise_is_fresh_in_every_pass_and_batch(noise):
    split = Split(np.full((200, 16), 8, np.uint8), num_levels=17)
    batches = split.batches(100, **noise)
    draws = [x.numpy() for _ in range(2) for x in batches]
    for i in range(4):
        for j in range(i):
            assert not np.array_equal(draws[i], draws[j])
    again = split.batches(100, **noise)
    np.testing.assert_array_equal(draws, [x.numpy() for _ in range(2) for x in again])
    assert not np.array_equal(draws[0], next(iter(split.batches(100, seed=1, **noise))))


def test_global_seed_plays_no_part(digits):
    def draw():
        return epoch(digits.test.batches(50, shuffle=True, binarize="dynamic", seed=2))

    before = draw()
    tf.random.set_seed(123)
    np.testing.assert_array_equal(draw(), before)


def test_batches_are_a_dataset_that_carries_its_arrays():
    """Read through the dataset or by index, the passes are the same ones, each counted once."""
    options = {"shuffle": True, "binarize": "dynamic", "seed": 3}
    split = Split(np.arange(200, dtype=np.uint8).reshape(50, 4), num_levels=200)
    batches, expected = split.batches(8, **options), split.batches(8, **options)
    assert isinstance(batches, tf.data.Dataset)
    assert batches.arrays.examples.raw is split.batches(5).arrays.examples.raw
    passes = [epoch(expected) for _ in range(4)]
    for i, dataset in ((1, batches), (3, endless(batches))):
        np.testing.assert_array_equal(epoch(batches), passes[i - 1])
        taken = dataset.arrays.next_pass()
        x = [
            dataset.arrays.fetch(dataset.arrays.examples, {"rows": taken["rows"][8 * b : 8 * b + 8], "key": key})
            for b, key in enumerate(taken["key"])
        ]
        np.testing.assert_array_equal(np.concatenate(x), passes[i])


def test_what_is_made_from_batches_has_no_arrays():
    batches = Split(np.zeros((5, 2), np.float32)).batches(2)
    changed = (
        batches.map(lambda x: x),
        batches.take(1),
        batches.repeat(),
        batches.prefetch(1),
        endless(batches.take(1)),
    )
    assert not any(isinstance(dataset, Batches) for dataset in changed)
    assert isinstance(endless(batches), Batches)


PROGRAM = """
import hashlib, tfvae.data
digits = tfvae.data.load("digits").train
batches = digits.batches(100, shuffle=True, {noise}, labels=True, seed=11)
digest = hashlib.sha256()
for _ in range(2):
    for x, y in batches:
        digest.update(x.numpy().tobytes() + y.numpy().tobytes())
print(digest.hexdigest())
"""


@pytest.mark.slow
def test_a_fresh_process_sees_the_same_batches(digits):
    program = "".join(
        PROGRAM.format(noise=noise) for noise in ("binarize='dynamic'", "binarize='static'", "dequantize=True")
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    for line, noise in zip(
        done.stdout.split(), ({"binarize": "dynamic"}, {"binarize": "static"}, {"dequantize": True}), strict=True
    ):
        batches = digits.train.batches(100, shuffle=True, labels=True, seed=11, **noise)
        digest = hashlib.sha256()
        for _ in range(2):
            for x, y in batches:
                digest.update(x.numpy().tobytes() + y.numpy().tobytes())
        assert digest.hexdigest() == line


@pytest.mark.parametrize("num_levels", [3, 17, 256])
def test_dynamic_draws_have_the_probability_of_each_level(num_levels):
    raw = np.tile(np.arange(num_levels, dtype=np.uint8), (10_000, 1))
    drawn = epoch(Split(raw, num_levels=num_levels).batches(1000, binarize="dynamic"))
    assert set(np.unique(drawn)) == {0, 1}
    p = np.arange(num_levels) / (num_levels - 1)
    error = drawn.mean(axis=0, dtype=np.float64) - p
    assert error[[0, -1]].tolist() == [0, 0]
    standard_error = np.sqrt(p * (1 - p) / 10_000)[1:-1]
    assert (np.abs(error[1:-1]) < 5 * standard_error).all()
    overall = drawn.mean(dtype=np.float64) - p.mean()
    assert abs(overall) < 5 * np.sqrt(np.mean(p * (1 - p)) / drawn.size)


def test_dynamic_draws_of_floats_and_their_independence():
    split = Split(np.full((2000, 5), 0.3, np.float32))
    drawn = epoch(split.batches(100, binarize="dynamic"))
    assert abs(drawn.mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / drawn.size)
    correlations = np.corrcoef(drawn.T)[np.triu_indices(5, 1)]
    assert (np.abs(correlations) < 5 / np.sqrt(2000)).all()


def test_neighbouring_pixels_are_independent():
    """Two 16-bit draws come from one 32-bit word."""
    drawn = epoch(Split(np.full((4000, 7), 128, np.uint8), num_levels=256).batches(999, binarize="dynamic"))
    correlations = np.corrcoef(drawn.T)[np.triu_indices(7, 1)]
    assert (np.abs(correlations) < 5 / np.sqrt(4000)).all()


def test_static_draws_are_the_same_in_every_pass(digits):
    batches = digits.train.batches(100, binarize="static", seed=9)
    np.testing.assert_array_equal(epoch(batches), digits.train.binarized(9).raw)
    np.testing.assert_array_equal(epoch(batches), digits.train.binarized(9).raw)


@pytest.mark.parametrize("binarize", ["dynamic", "static"])
def test_binary_data_pass_unchanged(binarize):
    split = Split(np.random.default_rng(0).integers(0, 2, (500, 7), dtype=np.uint8), num_levels=2)
    np.testing.assert_array_equal(epoch(split.batches(100, binarize=binarize)), split.raw)


@pytest.mark.parametrize("num_levels", [2, 17, 199, 255, 256])
def test_dequantized_batches_keep_the_level(num_levels):
    raw = (np.arange(3000 * 40) % num_levels).astype(np.uint8).reshape(3000, 40)
    y = epoch(Split(raw, num_levels=num_levels).batches(500, dequantize=True))
    assert 0 < y.min() < y.max() < 1
    np.testing.assert_array_equal(np.floor(y * np.float32(num_levels)), raw)
    u = y.astype(np.float64) * num_levels - raw
    assert abs(u.mean() - 0.5) < 5 * np.sqrt(1 / 12 / u.size)
    assert abs(u.var() - 1 / 12) < 5 * np.sqrt(1 / 180 / u.size)


@pytest.mark.parametrize("shape", [(5,), (2, 5, 4, 3)])
def test_vectors_and_many_axes(shape):
    x = np.random.default_rng(0).random((11, *shape), dtype=np.float32)
    batches = Split(x).batches(4)
    assert batches.element_spec.shape.as_list() == [None, *shape]
    np.testing.assert_array_equal(epoch(batches), x)


def test_keras_trains_on_batches(digits):
    import keras

    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(64), keras.layers.Reshape((8, 8, 1))])
    model.compile("adam", "mse", jit_compile=False)
    batches = digits.train.batches(100, shuffle=True).map(lambda x: (x, x))
    history = model.fit(batches, epochs=2, shuffle=False, verbose=0)
    assert history.history["loss"][1] < history.history["loss"][0]


@pytest.mark.parametrize("batch_size", [0, -3])
def test_batch_size_below_one(digits, batch_size):
    with pytest.raises(ValueError, match=f"at least 1. Received: batch_size={batch_size}"):
        digits.train.batches(batch_size)


def test_arguments_that_cannot_work(digits):
    split = digits.test
    with pytest.raises(TypeError, match=r"must be an integer.*2\.5"):
        split.batches(2.5)
    with pytest.raises(TypeError, match="data seed"):
        split.batches(10, shuffle=True, seed=None)
    with pytest.raises(ValueError, match=r"'dynamic' or 'static'.*'always'"):
        split.batches(10, binarize="always")
    with pytest.raises(ValueError, match="exclude each other"):
        split.batches(10, binarize="static", dequantize=True)
    with pytest.raises(ValueError, match=r"leaves no batch.*360 examples"):
        split.batches(361, drop_remainder=True)


def test_data_that_do_not_allow_it():
    wide = Split(np.array([[0.0, 2.0]], np.float32), name="own/train")
    for binarize in ("dynamic", "static"):
        with pytest.raises(DataError, match="own/train cannot be binarized"):
            wide.batches(1, binarize=binarize)
    with pytest.raises(DataError, match="cannot be dequantized"):
        wide.batches(1, dequantize=True)
    with pytest.raises(DataError, match="own/train has no labels"):
        wide.batches(1, labels=True)


@pytest.mark.parametrize("options", [{}, {"shuffle": True, "binarize": "dynamic"}])
def test_a_batch_larger_than_the_data_is_all_of_them(options):
    split = Split(np.arange(30, dtype=np.uint8).reshape(10, 3), num_levels=256)
    batches = [list(split.batches(size, seed=3, **options)) for size in (10, 11, 10**9, 2**63, 10**400)]
    for (batch,) in batches:
        np.testing.assert_array_equal(batch, batches[0][0])
