"""Arrays as users have them become plain ones, or one clear error."""

import numpy as np
import pytest
import scipy.sparse

from tfvae._arrays import plain_array

X = np.array([[0.5, 0.0], [0.0, 2.0], [1.0, 0.0]], "float32")


def test_what_is_plain_stays_what_it_is():
    assert plain_array(X) is X
    np.testing.assert_array_equal(plain_array(X.tolist()), X)
    np.testing.assert_array_equal(plain_array(np.ma.masked_array(X)), X)  # nothing is masked
    assert type(plain_array(np.ma.masked_array(X))) is np.ndarray


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: list(x)])
def test_masked_values_are_refused(wrap):
    masked = np.ma.masked_greater(X, 0.9)
    with pytest.raises(ValueError, match=r"data is a masked array, and \d of its .* masked.*data\.filled\(value\)"):
        plain_array(wrap(masked), "data")


@pytest.mark.parametrize("kind", ["csr_matrix", "csc_array", "coo_matrix", "bsr_array", "dok_matrix"])
def test_sparse_matrices_become_dense(kind):
    found = plain_array(getattr(scipy.sparse, kind)(X))
    np.testing.assert_array_equal(found, X)
    assert found.dtype == X.dtype


def test_a_sparse_matrix_too_large_to_be_dense():
    with pytest.raises(ValueError, match=r"745\.1 GiB"):
        plain_array(scipy.sparse.csr_matrix((10**6, 10**5)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([[1.0, 2.0], [1.0]], "list whose parts differ in shape"),
        ([["a"] * 300_000], "dtype <U1"),
        (np.array([None, 1.0]), "dtype object"),
        (np.array([1j]), "dtype complex128"),
        (np.array(["2020-01-01"], "datetime64[D]"), "dtype datetime64"),
    ],
)
def test_what_holds_no_numbers(data, message):
    with pytest.raises(ValueError, match=message) as caught:
        plain_array(data)
    assert len(str(caught.value)) < 300


class TestPandas:
    @pytest.fixture
    def pd(self):
        return pytest.importorskip("pandas")

    def test_columns_of_numbers(self, pd):
        frame = pd.DataFrame({"a": [1, 2], "b": [0.5, 1.5], "c": [True, False]}, index=[7, 3])
        frame["d"] = pd.array([3, 4], dtype="Int64")
        frame["e"] = pd.array([False, True], dtype="boolean")
        frame["f"] = pd.arrays.SparseArray([0.0, 2.5])
        expected = [[1, 0.5, 1, 3, 0, 0], [2, 1.5, 0, 4, 1, 2.5]]
        np.testing.assert_array_equal(plain_array(frame), expected)
        assert plain_array(frame[["a"]]).dtype == "float64"  # a table, and no image
        assert plain_array(frame[["b"]].astype("float32")).dtype == "float32"
        np.testing.assert_array_equal(plain_array(frame["d"]), [3, 4])

    @pytest.mark.parametrize(
        ("values", "dtype", "message"),
        [
            ([1, None], "Int64", "has 1 missing values .*Int64.*fillna"),
            ([True, None], "boolean", "has 1 missing values .*boolean"),
            (["u", "v"], "category", "dtype category.*get_dummies"),
            (["u", "v"], None, "but a VAE requires numbers"),
            ([1.5, "v"], "object", "dtype object"),
            (["2020-01-01", "2020-01-02"], "datetime64[ns]", "total_seconds"),
            (["2020-01-01", "2020-01-02"], "datetime64[ns, UTC]", "total_seconds"),
        ],
    )
    def test_other_columns_are_named(self, pd, values, dtype, message):
        frame = pd.DataFrame({"size": [1.0, 2.0], "bad": pd.Series(values, dtype=dtype)})
        with pytest.raises(ValueError, match=f"Column 'bad' of x .*{message}|Column 'bad' of x {message}"):
            plain_array(frame)
