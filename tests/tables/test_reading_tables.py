"""Tables from files: separators, headers, encodings, and one error for what cannot be read."""

import warnings

import pandas as pd
import pytest

from tfvae.tables import TableError, read_table
from tfvae.tables.text_form import has_header, rows_of, separator_of


def read(tmp_path, text, name="own.csv", encoding="utf-8", **options):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_table(path, **options)


def columns(frame):
    return {name: list(frame[name]) for name in frame}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "a,b\n1,x\n02,y\n"),
        ("a.csv", "a, b\n1, x\n02, y\n\n"),
        ("a.csv", '"a";"b"\n1;x\n02;y\n'),
        ("a.tsv", "a\tb\n1\tx\n02\ty\n"),
        ("a.txt", "a|b\n1|x\n02|y\n"),
        ("a.txt", "a  b\n1  x\n02 y\n"),
        ("a.csv", "# made by hand, in 2024\n\n# again\n\na,b\n1,x\n\n02,y\n"),
        ("a.csv", "#a,b\n1,x\n02,y\n"),
        ("a.data", '"a" "b"\n1 "x"\n02 "y"\n'),
        ("a.dat", "a   b\n1   x\n02  y\n"),
        ("a.csv", "\ufeffa,b\r\n1,x\r\n02,y\r\n"),
    ],
)
def test_the_separator_is_found_and_cells_stay_text(tmp_path, name, text):
    assert columns(read(tmp_path, text, name)) == {"a": ["1", "02"], "b": ["x", "y"]}


@pytest.mark.parametrize("text", ["name\nAnna Low\nBob High\n", "when\n2024-01-01 10:00\n2024-01-01 11:30\n"])
def test_words_of_a_single_column_stay_together(tmp_path, text):
    assert list(read(tmp_path, text).columns) == [text.split()[0]]


@pytest.mark.parametrize("suffix", [".gz", ".zip", ".bz2", ".xz"])
def test_files_of_text_may_be_compressed(tmp_path, suffix):
    frame = pd.DataFrame({"a": ["1", "02"], "b": ["x", "?"]})
    path = tmp_path / f"own.tsv{suffix}"
    frame.to_csv(path, sep="\t", index=False)
    pd.testing.assert_frame_equal(read_table(path), frame)


@pytest.mark.parametrize("suffix", ["parquet", "feather"])
def test_typed_files_keep_their_types(tmp_path, suffix):
    frame = pd.DataFrame({"a": [1, 2], "b": pd.to_datetime(["2024-01-01", None]), "c": ["x", None]})
    path = tmp_path / f"own.{suffix}"
    getattr(frame, f"to_{suffix}")(path)
    pd.testing.assert_frame_equal(read_table(path), frame)


def test_an_index_with_a_name_is_a_column(tmp_path):
    path = tmp_path / "own.parquet"
    pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="key")).to_parquet(path)
    assert columns(read_table(path)) == {"key": ["x", "y"], "a": [1, 2]}


def test_quotes_may_have_separators_and_lines(tmp_path):
    found = read(tmp_path, 'a,b\n"x, y","say ""hi"""\n"two\nlines",z\n')
    assert columns(found) == {"a": ["x, y", "two\nlines"], "b": ['say "hi"', "z"]}


def test_decimal_commas_become_points(tmp_path):
    found = read(tmp_path, "a;b;c\n1,5;x,y;-\n?;z;1.234,5\n", missing=["-"])
    assert columns(found) == {"a": ["1.5", "?"], "b": ["x,y", "z"], "c": ["-", "1234.5"]}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("mpg,größe\nMazda,21,6\nDatsun,22,4\n", ["row", "mpg", "größe"]),
        ("mpg,cyl\n21,6,\n22,4,\n", ["mpg", "cyl", "unnamed"]),
        (",mpg\n0,21\n1,22\n", ["Unnamed: 0", "mpg"]),
    ],
    ids=["R", "separator at the end", "pandas"],
)
def test_cells_keep_their_columns_if_names_are_fewer(tmp_path, text, names):
    found = read(tmp_path, text)
    assert list(found.columns) == names
    assert list(found["mpg"]) == ["21", "22"]


def test_a_table_without_header_gets_names_and_a_warning(tmp_path):
    path = tmp_path / "adult.data"
    path.write_text("39, State-gov, 77516\n50, Private, 83311\n")
    with pytest.warns(UserWarning, match="has values, so its columns are named c0 to c2") as caught:
        found = read_table(path)
    assert columns(found) == {"c0": ["39", "50"], "c1": ["State-gov", "Private"], "c2": ["77516", "83311"]}
    assert caught[0].filename == __file__
    assert list(read(tmp_path, path.read_text(), header=True).columns) == ["39", "State-gov", "77516"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a,b", "1,2"], True),
        (["name,2019,2020", "x,1,2"], True),
        (["0,1,2", "0.5,3,2"], True),
        (["p,x", "p,y", "e,x"], False),  # mushrooms: letters alone
        (["3.6,8.6", "4.5,8.1"], False),
        (["vhigh,2", "low,2"], False),
        (["2,1", "2,1"], False),
        (["a,b"], True),
    ],
)
def test_a_header_is_told_from_values(lines, expected):
    assert has_header(rows_of(lines, separator_of(lines))) is expected


def test_names_that_occur_twice_are_told(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("a,b,a\n1,2,3\n")
    with pytest.warns(UserWarning, match=r"columns of the same name: \['a'\]. The others are named 'a.1'"):
        assert list(read_table(path).columns) == ["a", "b", "a.1"]


def test_other_encodings_are_read(tmp_path):
    assert columns(read(tmp_path, "größe\tb\nä\t1\n", encoding="utf-16")) == {"größe": ["ä"], "b": ["1"]}
    path = tmp_path / "latin.csv"
    path.write_bytes("größe,b\nä,1\n".encode("latin-1"))
    with pytest.warns(UserWarning, match="is not UTF-8"):
        assert columns(read_table(path)) == {"größe": ["ä"], "b": ["1"]}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "a,b\n", "has no rows"),
        ("a.csv", "a,b\n1,2\n1,2,3\n", "Expected 2 fields in line 3, saw 3. Expected rows with as many cells"),
        (
            "a.csv",
            "title\na,b,c\n1,2,3\n",
            "cannot be read: rows have more cells than the first row. .* titles above",
        ),
        ("a.csv", "a,b,c\n1,2,3,4,5\n", "cannot be read: rows have more cells than the first row. Expected rows"),
        ("a.csv.gz", "junk", "cannot be read: Not a gzipped file"),
        ("a.parquet", "junk", "cannot be read: .* Expected a .parquet file"),
        ("a.xlsx", "junk", r"must end in .csv, .tsv.* Received: path='.*a.xlsx'"),
        ("a.zip", "junk", r"must end in .csv"),
    ],
)
def test_files_that_cannot_be_read_are_one_error(tmp_path, name, text, message):
    with pytest.raises(TableError, match=message) as caught:
        read(tmp_path, text, name)
    assert "\n" not in str(caught.value)


def test_a_file_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(TableError, match="There is no file"):
        read_table(tmp_path / "none.csv")
