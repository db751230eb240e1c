"""`.npz` files that are written as their arrays are made: as NumPy writes them, whole or not there."""

import subprocess
import sys

import numpy as np
import pytest

from tfvae._npz import NpzWriter

RNG = np.random.default_rng(0)
ARRAYS = {
    "x": RNG.normal(size=(7, 3, 2)).astype("float32"),
    "double": RNG.normal(size=(7, 1)),
    "label": np.arange(7) - 3,
    "level": RNG.integers(0, 256, (7, 4), np.uint8),
}


def write(path, *parts):
    with NpzWriter(path) as file:
        for part in parts:
            if isinstance(part, BaseException):
                raise part
            file.add(x=part)


def test_it_is_the_file_that_numpy_writes(tmp_path):
    np.savez_compressed(tmp_path / "numpy.npz", **ARRAYS)
    with NpzWriter(tmp_path / "folder" / "ours.npz") as file:
        for rows in (slice(0, 4), slice(4, 4), slice(4, 7)):
            file.add(**{name: array[rows] for name, array in ARRAYS.items()})
        assert file.shapes == {name: array.shape for name, array in ARRAYS.items()}
        assert list((tmp_path / "folder").iterdir()) == []
    with np.load(tmp_path / "numpy.npz") as expected, np.load(tmp_path / "folder" / "ours.npz") as found:
        assert found.files == expected.files
        for name in found.files:
            assert found[name].dtype == expected[name].dtype
            np.testing.assert_array_equal(found[name], expected[name])
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["ours.npz"]


def test_rows_that_do_not_lie_in_order_in_memory(tmp_path):
    array = np.asfortranarray(ARRAYS["x"])[:, ::-1]
    write(tmp_path / "a.npz", array)
    with np.load(tmp_path / "a.npz") as found:
        np.testing.assert_array_equal(found["x"], array)


@pytest.mark.parametrize(
    ("other", "word"), [(np.zeros((2, 3, 3), "float32"), r"\(3, 3\)"), (np.zeros((2, 3, 2)), "float64")]
)
def test_parts_that_do_not_go_together_are_refused_and_the_old_file_stays(tmp_path, other, word):
    path = tmp_path / "a.npz"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match=word):
        write(path, ARRAYS["x"], other)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupt_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a.npz", ARRAYS["x"], KeyboardInterrupt())
    assert list(tmp_path.iterdir()) == []


def test_a_kill_in_the_middle_leaves_nothing(tmp_path):
    code = (
        "import os, signal, sys, numpy as np\n"
        "from tfvae._npz import NpzWriter\n"
        "with NpzWriter(sys.argv[1]) as file:\n"
        "    for _ in range(100): file.add(x=np.ones((1000, 10)))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    result = subprocess.run([sys.executable, "-c", code, tmp_path / "a.npz"], timeout=300, check=False)
    assert result.returncode == -9
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    path.write_bytes(b"old")

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(OSError, match=r"a\.npz cannot be written: No space left on device\. An existing file was not"):
        write(path, ARRAYS["x"])
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("parts", [{"a": np.zeros(3), "b": np.zeros(2)}, {"a": np.array([{}, []], object)}])
def test_parts_that_do_not_go_together_are_refused(parts, tmp_path):
    with pytest.raises(ValueError, match="the same number of rows"), NpzWriter(tmp_path / "x.npz") as file:
        file.add(**parts)
    assert not list(tmp_path.iterdir())
