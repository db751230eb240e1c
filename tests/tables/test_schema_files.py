"""Schemas as TOML files, and schemas with other kinds."""

import pandas as pd
import pytest

from tfvae.tables import Column, Schema, TableError, infer, read_schema, read_table, to_rows, with_changes, write_schema

COLUMNS = [
    Column("fixed acidity", "positive", low=4.6, high=15.9, decimals=1, reason='above "zero"'),
    Column("größe.1", "category", ("1", "ä", "x\ny"), dtype="str", missing_share=0.125),
    Column("stars", "ordinal", ("0.5", "1", "2"), dtype="float64"),
    Column("sex", "category", ("f", "m"), dtype="str"),
    Column("day", "date", low=0.0, high=7.5, origin="2024-01-31", format="%d.%m.%Y", dtype="str"),
    Column("", "ignored"),
    Column("age", "count", low=17.0, high=90.0, decimals=0, dtype="int64"),
    Column("share", "bounded", low=0.0, high=1.0, decimals=2),
    Column("gain", "count", low=0.0, high=9.0, atoms=(0.0, 5.0), decimals=0),
]
SCHEMA = Schema(COLUMNS, missing=["-999"])


def written(tmp_path, text):
    path = tmp_path / "schema.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_schema_is_read_as_it_was_written(tmp_path):
    write_schema(SCHEMA, tmp_path / "schema.toml")
    assert read_schema(tmp_path / "schema.toml") == SCHEMA
    assert read_schema(tmp_path / "schema.toml") != Schema(COLUMNS)
    text = (tmp_path / "schema.toml").read_text("utf-8")
    assert (
        '[columns.age]\nkind = "count"\nlow = 17.0\nhigh = 90.0\ndecimals = 0\ndtype = "int64"\nreason = ""\n' in text
    )


def test_the_schema_of_a_real_table_is_read_as_it_was_written(tmp_path, find_table):
    schema = infer(read_table(find_table("horse_colic.csv")))
    write_schema(schema, tmp_path / "schema.toml")
    assert read_schema(tmp_path / "schema.toml") == schema


def test_an_edited_file_is_used(tmp_path):
    path = written(tmp_path, '[columns.a]\nkind = "bounded"\nlow = 0\nhigh = 5\n[columns.b]\nkind = "ignored"\n')
    rows, _ = to_rows(pd.DataFrame({"a": ["5", "0.5"]}), read_schema(path))
    assert rows.tolist() == [[5], [0.5]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = [", "cannot be read: .* Expected TOML"),
        ("", r"is no schema. Expected a table \[columns.NAME\]"),
        ("columns = 3", "is no schema"),
        ('other = 1\n[columns.a]\nkind = "real"', r"is no schema. .* Received: \['other'\]"),
        ('missing = [1]\n[columns.a]\nkind = "real"', "is no schema. .* missing, a list of texts"),
        ("[columns.a]\nlow = 1", "the column 'a' must be a table with a kind"),
        ('[columns.a]\nkind = "number"', "schema.toml: The kind of a column must be one of .*'number'"),
        ('[columns.a]\nkind = "bounded"\nlow = 1', "schema.toml: A bounded column has low < high"),
        ('[columns.a]\nkind = "real"\nunit = "m"', "a column has the settings kind, .* Received: a.unit"),
        ('[columns.a]\nkind = "date"\natoms = [1]', "schema.toml: A column has atoms only if its kind is real"),
        ('[columns.a]\nkind = "real"\natoms = ["1"]', r"a.atoms must be numbers. Received: \['1'\]"),
        ('[columns.a]\nkind = "real"\nlow = "1"', "a.low must be of type int or float. Received: '1'"),
        ('[columns.a]\nkind = "real"\ndecimals = true', "a.decimals must be of type int. Received: True"),
        ('[columns.a]\nkind = "category"\ncategories = [1, 2]', "a.categories must be texts"),
    ],
)
def test_files_that_are_no_schemas_are_one_error(tmp_path, text, message):
    with pytest.raises(TableError, match=message):
        read_schema(written(tmp_path, text))


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(TableError, match=r"cannot be read: .*No such file"):
        read_schema(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("age", "real"),
        ("age", "positive"),
        ("age", "bounded"),
        ("age", "ignored"),
        ("gain", "real"),
        ("gain", "ignored"),
        ("fixed acidity", "real"),
        ("stars", "category"),
        ("stars", "real"),
        ("stars", "positive"),
        ("sex", "boolean"),
        ("sex", "ordinal"),
        ("share", "real"),
    ],
)
def test_kinds_can_be_changed(name, kind):
    changed = with_changes(SCHEMA, {name: kind})
    assert (changed[name].kind, changed[name].reason) == (kind, f"changed from {SCHEMA[name].kind}")
    assert [column for column in changed if column.name != name] == [c for c in COLUMNS if c.name != name]
    assert changed.missing == ("-999",)


def test_changes_keep_what_the_new_kind_needs():
    changed = with_changes(SCHEMA, {"stars": "real", "age": "bounded", "sex": ["m", "f"], "day": "date"})
    assert changed["stars"] == Column("stars", "real", low=0.5, high=2, decimals=1, reason="changed from ordinal")
    assert (changed["age"].low, changed["age"].high) == (17, 90)
    assert (changed["sex"].kind, changed["sex"].categories) == ("ordinal", ("m", "f"))
    assert changed["day"] == SCHEMA["day"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": "real"}, "has no column 'size'. Received: the columns"),
        ({"age": "category"}, r"""Infer the schema of the table with kinds={"age": "category"}. .*of kind 'count'"""),
        ({"fixed acidity": "count"}, "cannot be made 'count' .* Received: numbers from 4.6 with 1 decimals"),
        ({"share": "positive"}, "cannot be made 'positive' .* Received: numbers from 0.0 to 1.0"),
        ({"sex": "real"}, "cannot be made 'real'"),
        ({"stars": "boolean"}, "cannot be made 'boolean' .* Received: 3 categories"),
        ({"sex": ["f"]}, r"must be its values, in order. Expected: \['f', 'm'\]. Received: \['f'\]"),
        ({"age": ["1"]}, "must be its values, in order"),
        ({"age": "number"}, "must be one of real, .* Received: 'number'"),
        ({"": "real"}, "cannot be made 'real'"),
    ],
)
def test_changes_that_need_the_table_are_one_error(changes, message):
    with pytest.raises(TableError, match=message):
        with_changes(SCHEMA, changes)


def test_a_schema_names_its_columns():
    assert SCHEMA.names == [column.name for column in COLUMNS]
    assert len(SCHEMA.used) == 8
    with pytest.raises(KeyError, match="has no column 'size'"):
        SCHEMA["size"]
    with pytest.raises(ValueError, match=r"must have different names. Received: 'age' more than once"):
        Schema([COLUMNS[6], COLUMNS[6]])
