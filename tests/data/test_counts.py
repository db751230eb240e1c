"""Sparse counts: files, splits that share one matrix, and batches that are made dense one at a time."""

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse

import tfvae
from tfvae.data import DataError, SparseSplit
from tfvae.data.column_names import in_order_of
from tfvae.data.load import load_examples
from tfvae.data.sparse_rows import SparseRows, are_counts, as_values

N, D = 60, 7


@pytest.fixture(scope="module")
def counts():
    draw = np.random.default_rng(0)
    x = draw.poisson(3, (N, D)) * (draw.random((N, D)) < 0.3)
    x[5] = 0
    x[0, 0] = 200
    return x


@pytest.fixture
def npz(tmp_path, counts):
    scipy.sparse.save_npz(tmp_path / "cells.npz", scipy.sparse.csr_matrix(counts))
    return tmp_path / "cells.npz"


def dense(split):
    return split.take(len(split)).raw


@pytest.mark.parametrize("kind", ["csr_matrix", "csc_array", "coo_array", "csr_array"])
@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "float64", "uint16"])
def test_counts_in_npz_files(tmp_path, counts, kind, dtype):
    scipy.sparse.save_npz(tmp_path / "x.npz", getattr(scipy.sparse, kind)(counts.astype(dtype)))
    split = load_examples(tmp_path / "x.npz")
    assert isinstance(split, SparseSplit)
    assert (split.matrix.values.dtype, split.matrix.columns.dtype) == (np.float32, np.int32)
    np.testing.assert_array_equal(dense(split), counts)
    np.testing.assert_array_equal(split.sizes, np.maximum(counts.sum(axis=1), 1))
    np.testing.assert_array_equal(split.condition[:, -1], split.sizes)
    assert split.value_range == (0, 200)


@pytest.mark.parametrize("name", ["x.mtx", "x.mtx.gz"])
def test_matrix_market_files(tmp_path, counts, name):
    scipy.io.mmwrite(tmp_path / "x.mtx", scipy.sparse.coo_matrix(counts))
    if name.endswith(".gz"):
        with gzip.open(tmp_path / name, "wb") as file:
            file.write((tmp_path / "x.mtx").read_bytes())
    splits = tfvae.data.load(tmp_path / name)
    assert (splits.name, len(splits.train), len(splits.test)) == ("x", N - 12, 6)
    np.testing.assert_array_equal(dense(load_examples(tmp_path / name)), counts)


def test_folders_of_10x_have_cells_as_columns(tmp_path, counts):
    scipy.io.mmwrite(tmp_path / "matrix.mtx", scipy.sparse.coo_matrix(counts.T))
    (tmp_path / "barcodes.tsv").write_text("".join(f"cell{i}\n" for i in range(N)))
    (tmp_path / "genes.tsv").write_text("".join(f"g{i}\tgene{i}\n" for i in range(D)))
    np.testing.assert_array_equal(dense(load_examples(tmp_path)), counts)
    split = load_examples(tmp_path / "matrix.mtx")
    np.testing.assert_array_equal(dense(split), counts)
    assert split.column_names == tuple(f"g{i}" for i in range(D))
    scipy.io.mmwrite(tmp_path / "matrix.mtx", scipy.sparse.coo_matrix(counts))  # the cells are rows
    assert load_examples(tmp_path).column_names == split.column_names


class TestColumnsByName:
    """Columns of another file in the order of a model."""

    @pytest.fixture
    def split(self, counts):
        matrix = SparseRows.of(scipy.sparse.csr_matrix(counts), tuple("abcdefg"))
        return SparseSplit(matrix, np.arange(N - 10, -1, -1), "other")

    @pytest.mark.parametrize("names", ["abcdefg", "gfedcba", "ceb", "d"])
    def test_order_and_number(self, split, counts, names):
        found = in_order_of(split, tuple(names), len(names))
        expected = counts[split.rows][:, ["abcdefg".index(name) for name in names]]
        np.testing.assert_array_equal(dense(found), expected)
        np.testing.assert_array_equal(found.sizes, np.maximum(expected.sum(axis=1), 1))
        assert found.column_names == tuple(names)
        for batch, rows in zip(batches(found), np.split(expected, range(16, len(split), 16)), strict=True):
            np.testing.assert_array_equal(batch[0], rows)

    def test_names_that_occur_twice(self):
        matrix = SparseRows.of(scipy.sparse.csr_matrix([[1, 2, 3]]), ("a", "b", "a"))
        found = in_order_of(SparseSplit(matrix, np.arange(1)), ("a", "a", "b"), 3)
        np.testing.assert_array_equal(dense(found), [[1, 3, 2]])

    def test_missing_names(self, split):
        with pytest.raises(DataError, match=r"^other lacks 2 of the 3 columns .*: 'x', 'y'\. Expected all of them"):
            in_order_of(split, ("x", "a", "y"), 3)
        with pytest.raises(DataError, match=r"lacks all of the 1 columns.*Received: columns named 'a', 'b'"):
            in_order_of(split, ("x",), 1)
        with pytest.raises(DataError, match="lacks 1 of the 2 columns"):
            in_order_of(split, ("a", "a"), 2)

    def test_without_names(self, split, npz, caplog):
        assert in_order_of(split, None, D) is split
        plain = load_examples(npz)
        assert in_order_of(plain, tuple("gfedcba"), D) is plain
        assert "cells/train has no names of columns" in caplog.text
        with pytest.raises(DataError, match=r"must have the 6 columns of the training data.*Received: 7 columns"):
            in_order_of(plain, tuple("abcdef"), 6)
        with pytest.raises(DataError, match="because the training data has no names"):
            in_order_of(split, None, 6)


def test_other_sparse_matrices_stay_dense_arrays(tmp_path, counts):
    for name, x in {"real": counts * 0.5, "binary": counts > 0, "ones": (counts > 0).astype(int)}.items():
        scipy.sparse.save_npz(tmp_path / f"{name}.npz", scipy.sparse.csr_matrix(x))
        assert isinstance(tfvae.data.load(tmp_path / f"{name}.npz").train, tfvae.data.Split)


@pytest.mark.parametrize(("values", "message"), [([[0.5, 2]], "not counts"), ([[-1, 2]], "not counts")])
def test_what_is_no_count_is_refused(tmp_path, values, message):
    scipy.io.mmwrite(tmp_path / "x.mtx", scipy.sparse.coo_matrix(np.repeat(values, 5, axis=0)))
    with pytest.raises(DataError, match=message):
        tfvae.data.load(tmp_path / "x.mtx")


def test_what_is_no_matrix_is_refused(tmp_path):
    (tmp_path / "x.mtx").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"x\.mtx cannot be read.*Received from SciPy"):
        tfvae.data.load(tmp_path / "x.mtx")
    with pytest.raises(DataError, match="There is no file"):
        tfvae.data.load(tmp_path / "y.mtx")
    with pytest.raises(DataError, match="16,777,216"):
        as_values(np.array([2.0**25]))


def test_splits_share_one_matrix(npz):
    splits = tfvae.data.load(npz)
    assert splits.train.matrix is splits.validation.matrix is splits.test.matrix
    rows = np.concatenate([split.rows for split in splits.all.values()])
    np.testing.assert_array_equal(np.sort(rows), np.arange(N))


def test_numbers_of_32_bits_become_floats_in_their_own_memory():
    values = np.arange(2**21, dtype=np.int32) % 100
    expected = values.copy()
    found = as_values(values)
    assert np.shares_memory(found, values)
    np.testing.assert_array_equal(found, expected)


def test_tensors_take_the_place_of_the_arrays(npz):
    matrix = load_examples(npz).matrix
    expected = [matrix.values.copy(), matrix.columns.copy(), matrix.ends.copy()]
    tensors = matrix.tensors()
    for tensor, array, before in zip(tensors, (matrix.values, matrix.columns, matrix.ends), expected, strict=True):
        assert np.shares_memory(array, np.asarray(memoryview(tensor)))
        np.testing.assert_array_equal(array, before)


def test_the_graph_of_batches_is_not_rewritten(npz):
    """Rewriting would copy the counts into it."""
    options = tfvae.data.load(npz).train.batches(16, shuffle=True).repeat().options()
    assert options.experimental_optimization.apply_default_optimizations is False


def test_memory_of_a_file_of_counts(npz, counts):
    stored = scipy.sparse.csr_matrix(counts.astype("int32"))
    own = stored.data.nbytes + stored.indices.nbytes + stored.indptr.nbytes
    matrix = tfvae.data.load(npz).train.matrix
    assert matrix.num_bytes <= own + 4 * (N + 1)  # the ends of rows have 64 bits


def batches(split, **kwargs):
    return [
        tuple(map(np.asarray, (x["x"], x["condition"], *y))) for x, *y in map(as_tuple, split.batches(16, **kwargs))
    ]


def as_tuple(batch):
    return batch if isinstance(batch, tuple) else (batch,)


@pytest.mark.parametrize("kwargs", [{}, {"shuffle": True, "seed": 3}, {"shuffle": True, "drop_remainder": True}])
def test_batches_are_those_of_the_dense_split(npz, kwargs):
    split = tfvae.data.load(npz).train
    found, expected = batches(split, **kwargs), batches(split.take(N), **kwargs)
    assert len(found) == len(expected) == 3
    for part, other in zip(found, expected, strict=True):
        for each, same in zip(part, other, strict=True):
            np.testing.assert_array_equal(each, same)


def test_every_pass_has_its_own_order_again_in_another_dataset(npz):
    split = tfvae.data.load(npz).train
    first, second = split.batches(16, shuffle=True, seed=1), split.batches(16, shuffle=True, seed=1)
    passes = [[batch["x"].numpy() for batch in dataset] for dataset in (first, first, second, second)]
    assert not np.array_equal(passes[0][0], passes[1][0])
    for found, again in zip(passes[:2], passes[2:], strict=True):
        np.testing.assert_array_equal(np.concatenate(found), np.concatenate(again))


def test_sizes_of_rows_are_not_those_of_the_next():
    x = np.array([[0, 0], [1, 2], [0, 0], [0, 0], [3, 0], [0, 0]])
    np.testing.assert_array_equal(SparseRows.of(scipy.sparse.csr_matrix(x)).sizes(), x.sum(axis=1))


def test_counts_are_whole_numbers_from_zero():
    assert are_counts(np.array([0.0, 3.0]))
    assert are_counts(np.array([0, 3]))
    for values in ([0.5], [-1.0], [np.nan], [np.inf], [-1]):
        assert not are_counts(np.asarray(values))


class TestH5AD:
    """Files of AnnData."""

    @pytest.fixture
    def anndata(self):
        return pytest.importorskip("anndata", reason="anndata is not installed")

    @pytest.fixture
    def frame(self, anndata, counts):
        import pandas as pd

        obs = pd.DataFrame(
            {
                "kind": pd.Categorical(["b", "a", None] * (N // 3)),
                "batch": ["x", "y"] * (N // 2),
                "depth": np.linspace(0, 1, N),
            },
            index=[f"cell{i}" for i in range(N)],
        )
        return anndata.AnnData(scipy.sparse.csr_matrix(counts.astype("int32")), obs)

    @pytest.mark.parametrize("form", ["csr_matrix", "csc_matrix", "dense"])
    def test_forms_of_x(self, tmp_path, frame, counts, form):
        frame.X = counts if form == "dense" else getattr(scipy.sparse, form)(counts)
        frame.write_h5ad(tmp_path / "x.h5ad")
        np.testing.assert_array_equal(dense(load_examples(tmp_path / "x.h5ad")), counts)

    def test_names_of_columns(self, tmp_path, frame, counts):
        frame.var_names = list("abcdefg")
        frame.write_h5ad(tmp_path / "x.h5ad")
        assert load_examples(tmp_path / "x.h5ad").column_names == tuple("abcdefg")
        frame.raw = frame.copy()
        part = frame[:, :3].copy()
        part.X = part.X * 0.5
        part.write_h5ad(tmp_path / "x.h5ad")
        assert load_examples(tmp_path / "x.h5ad").column_names == tuple("abcdefg")

    def test_labels_and_conditions(self, tmp_path, frame, counts):
        frame.write_h5ad(tmp_path / "x.h5ad")
        split = load_examples(tmp_path / "x.h5ad", label="kind", condition="batch")
        assert (split.class_names, split.condition_names) == (("a", "b"), ("x", "y"))
        assert split.labels[:3].tolist() == [1, 0, -1]
        sizes = np.maximum(counts.sum(axis=1), 1)
        np.testing.assert_array_equal(split.condition[:2], [[1, 0, sizes[0]], [0, 1, sizes[1]]])
        number = load_examples(tmp_path / "x.h5ad", condition="depth")
        np.testing.assert_allclose(number.condition[:, 0], frame.obs["depth"], rtol=1e-6)
        with pytest.raises(DataError, match=r"no column 'kinds' in obs.*'kind'"):
            tfvae.data.load(tmp_path / "x.h5ad", label="kinds")
        with pytest.raises(DataError, match="without a value of the condition"):
            tfvae.data.load(tmp_path / "x.h5ad", condition="kind")

    def test_counts_are_found_in_layers_and_in_raw(self, tmp_path, frame, counts, caplog):
        frame.layers["other"] = frame.X.copy()
        frame.X = frame.X * 0.5
        frame.write_h5ad(tmp_path / "x.h5ad")
        np.testing.assert_array_equal(dense(load_examples(tmp_path / "x.h5ad")), counts)
        assert "X is not counts, so layers/other is used" in caplog.text
        del frame.layers["other"]
        frame.write_h5ad(tmp_path / "x.h5ad")
        with pytest.raises(DataError, match=r"not counts.*Received: no counts in X"):
            tfvae.data.load(tmp_path / "x.h5ad")

    def test_damaged_files(self, tmp_path, anndata):
        (tmp_path / "x.h5ad").write_text("no")
        with pytest.raises(DataError, match="damaged, or no AnnData file"):
            tfvae.data.load(tmp_path / "x.h5ad")

    def test_cells_of_mouse_cortex(self, anndata, counts_dir):
        split = load_examples(counts_dir / "zeisel_subset.h5ad", label="cell_type")
        assert (len(split), split.event_shape, len(split.class_names)) == (1464, (1000,), 3)
        stored = anndata.read_h5ad(counts_dir / "zeisel_subset.h5ad").X
        np.testing.assert_array_equal(dense(split), stored.toarray())


def test_without_anndata(tmp_path, monkeypatch):
    (tmp_path / "x.h5ad").write_text("")
    monkeypatch.setitem(sys.modules, "anndata", None)
    with pytest.raises(DataError, match=r"needs anndata, which is not installed.*tfvae\[counts\]"):
        tfvae.data.load(tmp_path / "x.h5ad")


@pytest.fixture
def counts_dir():
    folder = Path(__file__).parents[3] / "shared" / "data" / "counts"
    if not folder.is_dir():
        pytest.skip("../shared/data/counts is absent")
    return folder
