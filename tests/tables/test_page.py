"""The example of docs/your-data.md prints what stands there."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "your-data.md"


def block(language, having=""):
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return next(each for each in found if having in each)


def test_the_example_prints_what_stands_there(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(block("python", "schema.describe()"), names)
    assert capsys.readouterr().out == block("text")
    assert names["rows"].shape == names["observed"].shape == (300, 8)
    expected = names["frame"].drop(columns=["visit_id", "remark"])
    assert names["again"].isna().equals(expected == "?")
    known = expected.where(expected != "?").astype(names["again"].dtypes)
    assert names["again"].equals(known)


def test_the_table_of_kinds_has_all_kinds():
    from tfvae.tables.column import KINDS

    assert tuple(re.findall(r"^\| `(\w+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)) == KINDS


def test_the_settings_of_a_column_can_be_read(tmp_path):
    from tfvae.tables import read_schema

    (tmp_path / "schema.toml").write_text(block("toml"))
    assert read_schema(tmp_path / "schema.toml")["age"].kind == "count"
