"""Vectors and texts from `.npz` files, as NumPy reads them."""

import numpy as np
import pytest

from tfvae._npz_reading import read_vectors


def test_it_reads_what_numpy_writes(tmp_path):
    path = tmp_path / "a.npz"
    values = np.random.default_rng(0).normal(size=1000)
    for save in (np.savez, np.savez_compressed):
        save(path, values=values, none=np.zeros(0), text=np.array("Größe"))
        found = read_vectors(path)
        assert found.keys() == {"values", "none", "text"}
        assert found["text"] == "Größe"
        np.testing.assert_array_equal(found["values"], values)
        assert len(found["none"]) == 0


@pytest.mark.parametrize(
    "values", [np.zeros((2, 3)), np.zeros(3, np.float32), np.zeros(()), np.array(["a", "b"]), np.zeros(3, ">f8")]
)
def test_other_arrays_are_refused(tmp_path, values):
    np.savez(tmp_path / "a.npz", values=values)
    with pytest.raises(ValueError, match="contains"):
        read_vectors(tmp_path / "a.npz")


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, values=np.arange(9.0), text=np.array("abc"))
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(200):
        place = int(rng.integers(len(content)))
        path.write_bytes(content[:place] + bytes([content[place] ^ int(rng.integers(1, 256))]) + content[place + 1 :])
        try:
            found = read_vectors(path)
        except (ValueError, OSError):
            continue
        assert all(isinstance(value, str) or len(value) == 9 for value in found.values())
    path.write_bytes(content[:50])
    with pytest.raises(ValueError, match=r"a\.npz is not"):
        read_vectors(path)
