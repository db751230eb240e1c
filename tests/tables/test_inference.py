"""Which kinds columns get, and why."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest

from tfvae.tables import TableError, infer, read_table
from tfvae.tables.atoms import MAX_ATOMS, atoms_of

RNG = np.random.default_rng(0)
N = 300


def one(values, name="own", **options):
    """The column that these values become."""
    return infer(pd.DataFrame({name: values}), **options)[name]


def text(values):
    return [str(value) for value in values]


NUMBERS = {
    "boolean": RNG.integers(0, 2, N),
    "ordinal": RNG.integers(3, 10, N),
    "category": RNG.choice([101, 250, 999], N),
    "count": RNG.poisson(RNG.gamma(2, 10, N)),
    "positive": RNG.lognormal(3, 1, N).round(2) + 0.01,
    "real": RNG.normal(0, 1, N).round(3),
    "bounded": RNG.beta(1, 1, N).round(4).clip(1e-4, 1 - 1e-4),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_kinds_of_numbers_as_text_and_as_numbers(kind):
    values = NUMBERS[kind]
    assert one(values).kind == kind
    column = one(text(values))
    assert column.kind == kind
    assert column.reason
    assert column.dtype == str(values.dtype)


@pytest.mark.parametrize(
    ("values", "kind", "reason"),
    [
        (
            RNG.choice([40, *range(1, 100)], N * 10, p=[0.4, *[0.6 / 99] * 99]),
            "count",
            "whole numbers from 1; often 40",
        ),
        (np.where(RNG.random(N) < 0.9, 0, RNG.integers(1000, 99_999, N)), "count", "whole numbers from 0, 90% zeros"),
        (RNG.integers(172, 232, N), "positive", "whole numbers with a narrow range, all above zero"),
        (RNG.lognormal(12, 1, N).astype(int), "positive", "large whole numbers, all above zero"),
        (RNG.integers(1, 10**6, N), "real", "whole numbers, whose logarithms are less normal"),
        (RNG.random(N).round(2) + 0.01, "real", "numbers, whose logarithms are less normal"),
        (1.7e9 + 60.0 * RNG.integers(0, 900, N), "real", "whole numbers, whose logarithms are less normal"),
        (1.7e9 + 86400.0 * RNG.integers(0, 900, N), "positive", "large whole numbers, all above zero"),
        (RNG.integers(-50, 50, N), "real", "whole numbers, also below zero"),
        (RNG.permutation(N) + 7, "ignored", "whole numbers without a gap, all different: an identifier"),
        (RNG.choice([0.5, 1.0], N), "ordinal", "2 different numbers"),
        (np.append(np.full(6, 0.25), [1.5, 2.5, 3.5, 4]), "positive", "numbers above zero, 60% are 0.25"),
        (np.append(np.zeros(3), RNG.random(7)), "real", "numbers from 0, 30% zeros"),
        (np.append(np.zeros(7), RNG.random(3)), "real", "numbers from 0, 70% are 0"),
        (np.full(N, 5), "constant", "always '5'"),
        (["x"] * 8 + [None], "constant", "always 'x', where it is not missing"),
        ([None, "?", "NA", "nan", ""] * 9, "constant", "all values are missing"),
        ([f"name {i}" for i in range(N)], "ignored", "text, all different: an identifier"),
        ([f"{i // 2}x" for i in range(N)], "ignored", "text, 150 different values in 300 rows"),
        (["a", "b", "c"] * 9, "category", "text, 3 values"),
        (["20240131", "20240201"] * 9, "category", "2 different whole numbers"),
        (["no", "yes"] * 2, "boolean", "no or yes"),
        (["F", "t"] * 2, "boolean", "F or t"),
        ([f"0{i:04}" for i in range(60)] * 5, "category", "codes with leading zeros, 60 values"),
        (["00", "0", "01", "12", "007"] * 9, "ordinal", "4 different whole numbers"),
        (
            pd.Categorical(["s", "l"] * 9, ["s", "m", "l"], ordered=True),
            "ordinal",
            "3 categories of the data frame, in order",
        ),
        (pd.Categorical([2, 1] * 9, [2, 1]), "category", "2 categories of the data frame"),
        ([True, False] * 9, "boolean", "true or false"),
        ([True, None, False] * 9, "boolean", "False or True"),
        (pd.date_range("2020-01-01", periods=9), "date", "9 different dates"),
        ([datetime.date(2020, 1, day) for day in range(1, 9)], "date", "dates"),
        ([decimal.Decimal("1.5"), decimal.Decimal("22.75")] * 2, "positive", "numbers above zero, 50% are 1.5"),
        ([[1], [2]], "ignored", "cells of type list"),
        (pd.to_timedelta([1, 2], unit="D"), "ignored", "cells of type timedelta64"),
        (
            ["$1,200.00", "$9", "$8"],
            "ignored",
            "text, all different; to use them as numbers, write '$1,200.00' without",
        ),
        (
            ["5 %", "7 %", "8 %", "8 %"],
            "ignored",
            "text, 3 different values in 4 rows; to use them as numbers, write '5 %'",
        ),
        (
            [*text(range(90)), "-", "low"],
            "ignored",
            "text, all different; to use them as numbers, add '-', 'low' to the",
        ),
        ([*text(range(30)), "-"] * 4, "category", "text, 31 values; to use them as numbers, add '-' to the missing"),
        (["1,5", "22,75", "7"] * 9, "category", "text, 3 values; to use them as numbers, write '1,5' with a point"),
        (["0", "1", "2", "3+"] * 9, "category", "text, 4 values"),
    ],
)
def test_kinds_and_reasons(values, kind, reason):
    column = one(values)
    assert column.kind == kind, column.reason
    assert column.reason.startswith(reason)


@pytest.mark.parametrize("name", ["id", "user_id", "userId", "Hospital_Number", "order key"])
def test_nearly_different_numbers_are_identifiers_by_their_name(name):
    values = np.append(RNG.permutation(9999)[:299], 5)
    assert one(values, name).kind == "ignored"
    assert one(values, "price").kind == "real"
    assert one(values / 8, name).kind != "ignored"


@pytest.mark.parametrize(
    ("texts", "form", "low"),
    [
        (["2024-01-31", "2023-12-01"], "ISO8601", 0.0),
        (["2024-01-31T10:00:00Z", "2024-01-31 12:00"], "ISO8601", 10 / 24),
        (["01/31/2024", "02/01/2024"], "%m/%d/%Y", 0.0),
        (["31/01/2024", "01/02/2024"], "%d/%m/%Y", 0.0),
        (["31.01.2024", "01.02.2024"], "%d.%m.%Y", 0.0),
        (["31.01.2024 06:00", "01.02.2024 12:00"], "%d.%m.%Y %H:%M", 0.25),
        (["31 Jan 2024", "1 Feb 2024"], "%d %b %Y", 0.0),
    ],
)
def test_dates_are_days_after_the_first(texts, form, low):
    column = one(texts * 2)
    assert (column.kind, column.format, column.low) == ("date", form, pytest.approx(low))
    assert column.origin == ("2023-12-01" if texts[1] == "2023-12-01" else "2024-01-31")
    assert column.decimals == (0 if low == 0.0 else None)


@pytest.mark.parametrize(("missing", "share"), [((), 0.0), (("-999",), 0.5), ([-999], 0.5), (("-999.0",), 0.5)])
@pytest.mark.parametrize("as_text", [False, True])
def test_further_marks_of_missing_values(missing, share, as_text):
    values = np.repeat([-999, 4, 8], [4, 1, 3])
    column = one(text(values) if as_text else values, missing=missing)
    assert column.missing_share == share
    assert column.low == (4.0 if missing else -999.0)


def test_decimals_and_types():
    assert one(["1.50", "2.25", "1e1"]).decimals == 2
    assert one([1.5, 2.0]).decimals == 1
    assert one([1 / 3, 2.0]).decimals is None
    assert one(np.asarray([0.1, 0.7], "float32")).decimals == 1
    assert (one(["1", "7", ""]).dtype, one(["1", "7"]).dtype, one(["1.0", "7"]).dtype) == ("Int64", "int64", "float64")
    assert one([1.0, None, 7.0]).decimals == 0


def test_numbers_that_float32_does_not_have_are_told():
    assert one([1 / 3, 2.0]).reason.endswith("kept to about 7 digits")
    assert one([2**24 + 1, 7]).reason.endswith("kept to about 7 digits")
    assert "digits" not in one([2**24, 7]).reason
    times = pd.to_datetime(["1990-01-01 00:00:01", "2024-01-01 00:00:00"])
    assert one(times).reason.endswith("times are kept to about 84 seconds")


def test_a_label_is_a_category():
    frame = pd.DataFrame({"x": RNG.random(N), "y": RNG.integers(0, 9, N)})
    column = infer(frame, label="y")["y"]
    assert (column.kind, column.categories, column.dtype) == ("category", tuple("012345678"), "int64")


def test_kinds_may_be_given():
    frame = pd.DataFrame({"a": RNG.integers(0, 9, N), "b": ["low", "high", "mid"] * 100, "c": text(range(N))})
    found = infer(frame, kinds={"a": "real", "b": ["low", "mid", "high"], "c": "count"})
    assert [column.kind for column in found] == ["real", "ordinal", "count"]
    assert found["b"].categories == ("low", "mid", "high")


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ({"b": "real"}, "The column 'b' cannot be 'real'. Expected numbers. .* Received: values such as 'x'"),
        ({"a": "positive"}, "cannot be 'positive'. Expected numbers above zero.* Received: values from -1 to 2.5"),
        ({"a": "count"}, "cannot be 'count'"),
        ({"a": "boolean"}, "cannot be 'boolean'. Expected two different values. .* Received: 3 different values"),
        ({"a": "date"}, "cannot be 'date'. Expected dates, such as 2024-12-31"),
        ({"b": "date"}, "cannot be 'date'"),
        ({"b": ["x", "z"]}, r"must be its values, in order. Expected: \['x', 'y'\]. Received: \['x', 'z'\]"),
        ({"a": "number"}, "must be one of real, .* Received: 'number' for the column 'a'"),
        ({"z": "real"}, r"has no column 'z'. Received: the columns \['a', 'b'\]"),
    ],
)
def test_kinds_that_do_not_fit_are_one_error(kinds, message):
    with pytest.raises(TableError, match=message):
        infer(pd.DataFrame({"a": [-1, 2, 2.5], "b": ["x", "y", "y"]}), kinds=kinds)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"a": []}), "at least one row and one column. Received: a data frame of shape 0 x 1"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "must have different names. Received: 'a' more than once"),
        (pd.DataFrame({"a": [1, np.inf, 3.5]}), r"infinite or too large. .*missing=\[\"inf\"\]. Received: inf"),
        (pd.DataFrame({"a": ["1", "-inf", "3.5"]}), "infinite or too large"),
    ],
)
def test_tables_that_cannot_be_used_are_one_error(frame, message):
    with pytest.raises(TableError, match=message):
        infer(frame)


def test_two_rows():
    found = infer(pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [1.5, 2.5], "d": ["yes", "no"], "e": [0, 0]}))
    assert [column.kind for column in found] == ["positive", "ignored", "positive", "boolean", "constant"]


@pytest.mark.parametrize("number", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_many_columns(number):
    frame = pd.DataFrame(RNG.normal(size=(5, number)).round(2)).map(str)
    schema = infer(frame)
    assert {column.kind for column in schema} <= {"real", "positive", "bounded"}
    assert len(schema.describe().splitlines()) == number + 1


def test_atoms_are_numbers_that_are_repeated_more_often_than_their_neighbours():
    ages = RNG.binomial(80, 0.5, 4000)
    amounts = np.where(RNG.random(4000) < 0.7, 0.0, RNG.lognormal(5, 1, 4000).round(2))
    measured = RNG.normal(10, 1, 4000).round(1)
    few = np.where(RNG.random(4000) < 0.01, 99_999, RNG.integers(0, 5000, 4000))
    found = infer(pd.DataFrame({"ages": ages, "amounts": amounts, "measured": measured, "few": few}))
    assert [column.atoms for column in found] == [(), (0.0,), (), (99_999.0,)]
    assert found["few"].reason.endswith("; often 99999")
    values = np.arange(200.0) * 100
    assert len(atoms_of(values, np.full(200, 100), decimals=0)) == 0
    assert len(atoms_of(values, np.where(np.arange(200) % 2, 1, 100), decimals=0)) == MAX_ATOMS


def test_the_description_has_a_line_for_each_column():
    frame = pd.DataFrame({"size": [17, 1234, 90, None], "day": ["2024-01-31", "2024-01-31", "2024-03-01", None]})
    assert infer(frame).describe().splitlines() == [
        "column  kind      values                    missing  reason",
        "size    positive  17 to 1,234               25.0%    large whole numbers, all above zero",
        "day     date      2024-01-31 to 2024-03-01  25.0%    dates",
    ]


ADULT = {
    "age": "count",
    "workclass": "category",
    "fnlwgt": "positive",
    "education": "category",
    "education-num": "ordinal",
    "capital-gain": "count",
    "capital-loss": "count",
    "hours-per-week": "count",
    "native-country": "category",
    "income": "category",
}


def test_adult(find_table):
    found = infer(read_table(find_table("adult.csv")))
    assert {name: found[name].kind for name in ADULT} == ADULT
    assert found["occupation"].missing_share == pytest.approx(1843 / 32561)
    assert len(found["native-country"].categories) == 41
    assert len(found.used) == 15
    assert found["age"].atoms == (90.0,)  # all who are older
    assert {0.0, 7688.0, 15024.0, 99999.0} <= set(found["capital-gain"].atoms)
    assert {20.0, 40.0, 50.0, 60.0} <= set(found["hours-per-week"].atoms)
    assert found["fnlwgt"].atoms == ()


def test_wine_yeast_and_penguins(find_table):
    wine = infer(read_table(find_table("winequality-red.csv")))
    assert [column.kind for column in wine] == ["positive"] * 2 + ["real"] + ["positive"] * 8 + ["ordinal"]
    assert wine["quality"].categories == tuple("345678")
    assert infer(read_table(find_table("yeast.csv")))["sequence_name"].kind == "ignored"
    penguins = infer(read_table(find_table("penguins.csv")))
    assert [column.kind for column in penguins] == ["category"] * 2 + ["positive"] * 4 + ["category", "ordinal"]
