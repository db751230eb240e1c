"""Rows of tables as numbers and back: exact where values are observed, and one error for what does not fit."""

import numpy as np
import pandas as pd
import pytest

from tfvae.tables import Column, Schema, TableError, infer, read_table, to_frame, to_rows, with_changes

RNG = np.random.default_rng(0)
N = 60

TYPED = pd.DataFrame(
    {
        "real": RNG.normal(size=N).round(3),
        "float32": RNG.normal(size=N).round(2).astype("float32"),
        "integers": RNG.integers(-500, 500, N),
        "int8": RNG.integers(-100, 100, N).astype("int8"),
        "nullable": pd.Series(RNG.integers(0, 900, N)).astype("Int64").mask(RNG.random(N) < 0.2),
        "holes": np.where(RNG.random(N) < 0.3, np.nan, RNG.integers(0, 90, N)),
        "stars": RNG.integers(1, 6, N),
        "text": RNG.choice(["a", "b", "c"], N),
        "text with holes": pd.Series(RNG.choice(["a", "b", "c"], N)).mask(RNG.random(N) < 0.2),
        "bool": RNG.random(N) < 0.5,
        "boolean": pd.Series(RNG.random(N) < 0.5).astype("boolean").mask(RNG.random(N) < 0.2),
        "yes": RNG.choice(["yes", "no"], N),
        "zero": RNG.integers(0, 2, N).astype("float64"),
        "sizes": pd.Categorical(RNG.choice(["s", "l"], N), ["s", "m", "l"], ordered=True),
        "codes": pd.Categorical(RNG.choice([7, 3], N), [7, 3, 9]),
        "day": pd.date_range("1990-05-01", periods=N).to_series().sample(frac=1, random_state=0).to_numpy(),
        "time": pd.date_range("2024-05-01", periods=N, freq="37min", tz="UTC"),
        "string": pd.Series(RNG.choice(["x", "y"], N), dtype="string").mask(RNG.random(N) < 0.2),
    }
)


def test_typed_tables_come_back():
    schema = infer(TYPED)
    rows, observed = to_rows(TYPED, schema)
    assert rows.dtype == np.float32
    assert rows.shape == observed.shape == (N, len(TYPED.columns))
    np.testing.assert_array_equal(observed, TYPED.notna())
    assert not rows[~observed].any()
    pd.testing.assert_frame_equal(to_frame(rows, schema, observed), TYPED)
    pd.testing.assert_frame_equal(to_frame(np.where(observed, rows, np.nan), schema), TYPED)


def test_numbers_in_memory_are_as_the_column_says():
    frame = pd.DataFrame(
        {
            "amount": ["1.5", "NA", "22.5", "7"],
            "name": ["x", "b", "x", "b"],
            "day": ["2024-02-01", "2024-01-31", "2024-03-01", ""],
            "key": list("abcd"),
            "grade": ["2", "4", "2", "4"],
        }
    )
    schema = infer(frame, kinds={"grade": "ordinal"})
    rows, observed = to_rows(frame, schema)
    np.testing.assert_array_equal(rows, [[1.5, 1, 1, 0], [0, 0, 0, 2], [22.5, 1, 30, 0], [7, 0, 0, 2]])
    np.testing.assert_array_equal(observed[:, [0, 2]], [[1, 1], [0, 1], [1, 1], [1, 0]])
    assert schema["grade"].categories == ("2", "3", "4")
    back = to_frame(rows, schema, observed)
    assert list(back.columns) == ["amount", "name", "day", "grade"]
    assert back["day"].tolist()[:3] == frame["day"].tolist()[:3]
    assert (back["grade"].dtype, back["grade"].tolist()) == ("int64", [2, 4, 2, 4])


@pytest.mark.parametrize("form", ["%m/%d/%Y", "%d.%m.%Y %H:%M", "%d %b %Y", "ISO8601"])
def test_dates_of_text_are_written_as_they_were(form):
    dates = pd.Series(pd.date_range("2023-11-28", periods=40, freq="3D"))
    texts = dates.dt.strftime("%Y-%m-%d" if form == "ISO8601" else form)
    frame = pd.DataFrame({"day": texts, "x": range(40)})
    schema = infer(frame)
    assert schema["day"].format == form
    pd.testing.assert_series_equal(to_frame(*_with_schema(frame, schema))["day"], frame["day"])


def _with_schema(frame, schema):
    rows, observed = to_rows(frame, schema)
    return rows, schema, observed


def test_columns_are_found_by_name():
    schema = infer(TYPED)
    rows, _ = to_rows(TYPED, schema)
    other = TYPED[TYPED.columns[::-1]].assign(further=1)
    np.testing.assert_array_equal(to_rows(other, schema)[0], rows)


def test_text_and_numbers_are_the_same_numbers():
    frame = TYPED[["integers", "stars", "zero", "real", "holes"]]
    text = frame.astype(object).where(frame.notna(), "?").map(str)
    schema = infer(frame)
    for found, expected in zip(to_rows(text, schema), to_rows(frame, schema), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert to_rows(pd.DataFrame({"own": [True]}), infer(pd.DataFrame({"own": [0, 1]})))[0] == 1


def test_marks_of_missing_values_are_those_of_the_schema():
    frame = pd.DataFrame({"a": [-9.0, 1, 2.5], "b": ["x", "y", "-9"]})
    rows, observed = to_rows(frame, infer(frame, missing=[-9], kinds={"b": "category"}))
    np.testing.assert_array_equal(observed, [[0, 1], [1, 1], [1, 0]])
    np.testing.assert_array_equal(rows, [[0, 0], [1, 1], [2.5, 0]])


SCHEMA = Schema(
    [
        Column("size", "positive", decimals=1),
        Column("age", "count", dtype="int64"),
        Column("share", "bounded", low=0.0, high=1.0),
        Column("colour", "category", ("blue", "red"), dtype="str"),
        Column("stars", "ordinal", ("1", "2", "4"), dtype="int64"),
        Column("day", "date", origin="2024-01-31", decimals=0, dtype="datetime64[us]"),
        Column("name", "ignored"),
    ]
)
ROW = {"size": 2.5, "age": 3, "share": 0.5, "colour": "red", "stars": 4, "day": "2024-02-01"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 0}, "column 'size' does not fit its kind 'positive'. Expected a number above zero. Correct it, or"),
        ({"size": 1e-50}, "Expected a number above zero"),
        ({"size": "3 cm"}, "Expected a number. .* Received: '3 cm' in row 1"),
        ({"size": np.inf}, "Expected a number above zero. .*Received: 'inf' in row 1"),
        ({"age": 2.5}, "Expected a whole number, not below zero. .* Received: '2.5' in row 1"),
        ({"age": -1}, "Expected a whole number"),
        ({"share": 1.5}, "Expected a number from 0 to 1. .* Received: '1.5'"),
        (
            {"colour": "green"},
            r"Expected one of the 2 categories that are known: \['blue', 'red'\]. .* 'green' in row 1",
        ),
        (
            {"stars": 3},
            r"Expected one of the 3 categories that are known: \['1', '2', '4'\]. .* Received: '3' in row 1",
        ),
        ({"stars": "many"}, "Received: 'many' in row 1"),
        ({"day": "soon"}, "Expected a date, written as 2024-12-31. .* Received: 'soon' in row 1"),
        ({"day": "today"}, "Expected a date, written as 2024-12-31. .* Received: 'today' in row 1"),
        ({"day": 5}, "Expected a date"),
        ({"size": [1]}, "column 'size' cannot be read. .* Received: cells of type list"),
    ],
)
def test_a_value_that_does_not_fit_is_one_error(change, message):
    with pytest.raises(TableError, match=message) as caught:
        to_rows(pd.DataFrame([ROW, {**ROW, **change}]), SCHEMA)
    assert "\n" not in str(caught.value)


def test_columns_that_are_missing_are_named():
    with pytest.raises(TableError, match=r"lacks 2 of 6 columns: \['age', 'day'\]. Add them"):
        to_rows(pd.DataFrame([ROW]).drop(columns=["day", "age"]), SCHEMA)
    frame = pd.DataFrame([[1.0, 2.0]], columns=["size", "size"])
    with pytest.raises(TableError, match=r"different names. Received: 'size' more than once"):
        to_rows(frame, Schema([SCHEMA["size"]]))


def test_draws_of_a_model_become_values_of_the_table():
    rows = np.asarray([[2.26, 3.4, 1.2, 1, 2, 1.4], [1e-9, -2, -0.1, 0, 0, -3.6]], "float32")
    found = to_frame(rows, SCHEMA)
    assert found.drop(columns="day").to_dict("list") == {
        "size": [2.3, 0.1],
        "age": [3, 0],
        "share": [1.0, 0.0],
        "colour": ["red", "blue"],
        "stars": [4, 1],
    }
    assert list(found["day"]) == [pd.Timestamp("2024-02-01"), pd.Timestamp("2024-01-27")]
    int8 = to_frame(np.asarray([[1e6], [-1e6]]), Schema([Column("a", "real", dtype="int8")]))
    assert int8["a"].tolist() == [127, -128]


@pytest.mark.parametrize(
    ("rows", "observed", "message"),
    [
        (
            np.zeros((2, 5)),
            None,
            r"one number for each of 6 columns. Expected: shape \(N, 6\). Received: shape \(2, 5\)",
        ),
        (np.zeros((2, 6)), np.ones((2, 5)), r"`observed` must have the shape of the rows, \(2, 6\)"),
        (np.full((2, 6), 2.0), None, "column 'colour' must be the places of its categories, from 0 to 1. Received: 2"),
        (np.full((2, 6), 0.5), None, "Received: 0.5 in row 0"),
    ],
)
def test_arrays_that_are_no_rows_are_one_error(rows, observed, message):
    with pytest.raises(TableError, match=message):
        to_frame(rows, SCHEMA, observed)


def test_no_rows():
    rows, observed = to_rows(pd.DataFrame([ROW]).iloc[:0], SCHEMA)
    assert rows.shape == observed.shape == (0, 6)
    assert to_frame(rows, SCHEMA).shape == (0, 6)


def test_numbers_beyond_float32_keep_seven_digits():
    frame = pd.DataFrame({"a": [61.887365759999994, 1 / 3], "b": [2**24 + 1, 7]})
    found = to_frame(*_with_schema(frame, infer(frame)))
    assert found["a"].tolist() == [61.887367, 0.33333334]
    assert found["b"].tolist() == [2**24, 7]


TABLES = {  # the columns that do not come back exactly, because float32 does not have their digits
    "banknote.csv": set(),
    "concrete.csv": {"Concrete compressive strength"},
    "credit_approval.csv": set(),
    "horse_colic.csv": set(),
    "penguins.csv": set(),
    "winequality-red.csv": {"alcohol"},
    "winequality-white.csv": {"alcohol"},
    "yeast.csv": set(),
}


@pytest.mark.parametrize("name", TABLES)
def test_real_tables_come_back(find_table, name):
    frame = read_table(find_table(name))
    schema = infer(frame)
    found = to_frame(*_with_schema(frame, schema))
    inexact = set()
    for column in schema.used:
        texts, values = frame[column.name], found[column.name]
        known = ~texts.isin(["", "?", "NA"]).to_numpy()
        np.testing.assert_array_equal(values.notna(), known)
        expected = texts[known] if column.is_text else pd.to_numeric(texts[known])
        if not np.array_equal(values[known].astype(expected.dtype), expected):
            np.testing.assert_allclose(values[known], expected, rtol=np.finfo("float32").eps)
            inexact.add(column.name)
        else:
            assert "7 digits" not in column.reason
    assert inexact == TABLES[name]


def test_a_test_table_fits_the_schema_of_the_training_table(find_table):
    schema = infer(read_table(find_table("adult.csv")))
    table = read_table(find_table("adult_test.csv"))
    rows, observed = to_rows(table, schema)
    assert rows.shape == (16281, 15)
    assert (~observed).any(axis=1).sum() == 1221
    real, _ = to_rows(table, with_changes(schema, {"capital-gain": "real"}))
    np.testing.assert_array_equal(real, rows)


def test_values_that_do_not_fit_become_missing_values_if_asked():
    columns = [
        Column("size", "positive"),
        Column("visits", "count"),
        Column("city", "category", ("Bonn", "Rome"), dtype="str"),
        Column("day", "date", origin="2020-01-01", format="%d.%m.%Y", dtype="str"),
    ]
    frame = pd.DataFrame(
        {
            "size": ["1.5", "large", "-1"],
            "visits": [0, 0.5, 3],
            "city": ["Rome", "Oslo", None],
            "day": ["03.01.2020", "soon", "02.01.2020"],
        }
    )
    with pytest.raises(TableError, match=r"Expected a number\. .* Received: 'large' in row 1"):
        to_rows(frame, Schema(columns))
    rows, observed = to_rows(frame, Schema(columns), misfits="missing")
    np.testing.assert_array_equal(rows, [[1.5, 0, 1, 2], [0, 0, 0, 0], [0, 3, 0, 1]])
    np.testing.assert_array_equal(observed, [[1, 1, 1, 1], [0, 0, 0, 0], [0, 1, 0, 1]])


def test_constant_columns_come_back_with_their_types():
    frame = pd.DataFrame(
        {
            "region": ["EU"] * N,
            "x": RNG.normal(size=N).round(2),
            "year": np.full(N, 2024, "int16"),
            "share": np.float32(0.1),
            "id": pd.array([2**62] * N, dtype="Int64"),
            "open": True,
            "day": pd.Timestamp("2020-01-02 03:04:05", tz="Europe/Berlin"),
            "size": pd.Categorical(["s"] * N),
            "remark": pd.array([None] * N, dtype="string"),
            "number": pd.array([None] * N, dtype="Int64"),
            "empty": np.nan,
        }
    )
    schema = infer(frame)
    assert [column.name for column in schema.used] == ["x"]
    assert {column.kind for column in schema if column.name != "x"} == {"constant"}
    rows, observed = to_rows(frame[["x"]], schema)  # which needs no other column
    pd.testing.assert_frame_equal(to_frame(rows, schema, observed), frame)


def test_a_constant_column_of_a_text_file_has_the_type_of_its_values():
    frame = pd.DataFrame({"x": ["1", "4", "9"] * 20, "code": "007", "price": "2.50", "n": "-999", "empty": ""})
    schema = infer(frame, missing=["-999"])
    back = to_frame(*to_rows(frame, schema)[:1], schema)
    assert back.iloc[0, 1:3].tolist() == ["007", 2.5]
    assert back["price"].dtype == "float64"
    assert list(back.columns) == list(frame.columns)
    assert back[["n", "empty"]].isna().all(axis=None)
    ignored = with_changes(schema, {"code": "ignored"})
    assert "code" not in to_frame(np.zeros((1, 1)), ignored)
    with pytest.raises(TableError, match=r"cannot be made 'category' from what the schema knows"):
        with_changes(schema, {"code": "category"})
    with pytest.raises(TableError, match=r"'x' cannot be 'constant'. Expected a single value.*Received: 3 different"):
        infer(frame, kinds={"x": "constant"})
    with pytest.raises(ValueError, match="A constant column has one value, or none"):
        Column("x", "constant", ("a", "b"))


def test_bytes_are_ignored():
    column = infer(pd.DataFrame({"x": [1, 2], "y": [b"a", b"a"]}))["y"]
    assert (column.kind, column.reason, column.missing_share) == ("ignored", "cells of type bytes", 0.0)
