"""Named data sets against the figures known for them."""

import subprocess
import sys

import numpy as np
import pytest

from tfvae.data import DataError, known_names, load


def test_digits_are_all_there(digits):
    from sklearn.datasets import load_digits

    assert (len(digits.train), digits.validation, len(digits.test)) == (1437, None, 360)
    assert digits.event_shape == (8, 8, 1)
    assert digits.num_levels == 17
    ours = np.concatenate([digits.train.raw, digits.test.raw])[..., 0]
    labels = np.concatenate([digits.train.labels, digits.test.labels])
    theirs = load_digits()
    rows = np.concatenate([ours.reshape(1797, -1), labels[:, np.newaxis]], axis=1)
    expected = np.concatenate([theirs.data, theirs.target[:, np.newaxis]], axis=1).astype(rows.dtype)
    assert sorted(map(tuple, rows)) == sorted(map(tuple, expected))


def test_digits_split_is_fixed_and_mixed(digits):
    again = load("digits", seed=7)
    np.testing.assert_array_equal(again.train.raw, digits.train.raw)
    assert np.bincount(digits.test.labels, minlength=10).min() >= 20
    # The order sorts a stream that NumPy promises never to change.
    assert digits.train.labels[:8].tolist() == again.train.labels[:8].tolist()


@pytest.mark.slow  # its test data are read always, in test_data_tfds
def test_mnist_figures(mnist):
    assert (len(mnist.train), mnist.validation, len(mnist.test)) == (60000, None, 10000)
    assert mnist.event_shape == (28, 28, 1)
    assert mnist.num_levels == 256
    x = mnist.train.x
    assert x.dtype == np.float32
    assert x.mean(dtype=np.float64) == pytest.approx(0.130660, abs=1e-6)
    assert x.std(dtype=np.float64) == pytest.approx(0.308108, abs=1e-6)
    assert mnist.test.x.mean(dtype=np.float64) == pytest.approx(0.132515, abs=1e-6)
    expected = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(mnist.train.labels).tolist() == expected
    assert mnist.train.name == "mnist/train"


@pytest.mark.slow  # its test data are read always, in test_data_tfds
def test_binarized_mnist_figures(binarized_mnist):
    splits = (binarized_mnist.train, binarized_mnist.validation, binarized_mnist.test)
    assert [len(split) for split in splits] == [50000, 10000, 10000]
    assert binarized_mnist.num_levels == 2
    assert binarized_mnist.train.is_binary
    assert binarized_mnist.train.labels is None
    means = [split.raw.mean() for split in splits]
    assert means == pytest.approx([0.130562, 0.131127, 0.132512], abs=1e-6)


def test_frey_face_figures(find_archives):
    folder = find_archives("frey_faces.npz")
    splits = load("frey_face", data_dir=folder)
    assert [len(split) for split in (splits.train, splits.validation, splits.test)] == [1565, 200, 200]
    assert splits.event_shape == (28, 20, 1)
    images = np.concatenate([splits.train.raw, splits.validation.raw, splits.test.raw])
    assert images.mean() == pytest.approx(154.4609, abs=1e-4)
    assert len(np.unique(images.reshape(1965, -1), axis=0)) == 1965
    with np.load(folder / "frey_faces.npz") as stored:
        np.testing.assert_array_equal(splits.test.raw[-1, ..., 0], stored["images"][stored["perm_seed123"][-1]])


def test_silhouettes_have_the_polarity_of_the_papers(find_archives):
    splits = load("caltech101_silhouettes", data_dir=find_archives("caltech101_silhouettes_28.npz"))
    three = (splits.train, splits.validation, splits.test)
    assert [len(split) for split in three] == [4100, 2264, 2307]
    means = [split.raw.mean() for split in three]
    assert means == pytest.approx([1 - 0.551055, 1 - 0.535959, 1 - 0.539015], abs=1e-6)
    assert splits.num_levels == 2
    assert len(np.unique(splits.test.labels)) == 101


def test_omniglot_figures(find_archives):
    splits = load("omniglot", data_dir=find_archives("omniglot28_area.npz"))
    assert (len(splits.train), splits.validation, len(splits.test)) == (19280, None, 13180)
    assert splits.train.x.mean(dtype=np.float64) == pytest.approx(0.077938, abs=1e-6)
    assert splits.test.x.mean(dtype=np.float64) == pytest.approx(0.084282, abs=1e-6)
    assert not set(splits.train.labels) & set(splits.test.labels)


def test_environment_variable_names_the_folder(find_archives, monkeypatch):
    monkeypatch.setenv("TFVAE_DATA_DIR", str(find_archives("frey_faces.npz")))
    assert len(load("frey_face").train) == 1565


def test_archive_not_found_says_what_to_set(tmp_path, monkeypatch):
    monkeypatch.delenv("TFVAE_DATA_DIR", raising=False)
    with pytest.raises(DataError, match=r"Set the environment variable TFVAE_DATA_DIR.*omniglot28_area\.npz"):
        load("omniglot")
    monkeypatch.setenv("TFVAE_DATA_DIR", str(tmp_path))
    with pytest.raises(DataError, match="TFVAE_DATA_DIR='" + str(tmp_path)):
        load("frey_face")


def test_archive_with_other_contents(tmp_path):
    np.savez(tmp_path / "frey_faces.npz", images=np.zeros((3, 28, 20), np.uint8))
    with pytest.raises(DataError, match=r"lacks \['perm_seed123'\]"):
        load("frey_face", data_dir=tmp_path)
    np.savez(tmp_path / "frey_faces.npz", images=np.zeros((3, 28, 20), np.uint8), perm_seed123=np.arange(3))
    with pytest.raises(DataError, match="not the Frey Face archive"):
        load("frey_face", data_dir=tmp_path)


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(DataError, match="Did you mean 'mnist'") as caught:
        load("mnits")
    for name in known_names():
        assert name in str(caught.value)
    for form in ("tfds:NAME", ".npy", ".npz"):
        assert form in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_import_is_light():
    code = "import sys, tfvae.data; print(*{'tensorflow', 'tensorflow_datasets', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
