"""Output of a reproduction: pictures, numbers as JSON, and a page with both."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfvae._errors import reading
from tfvae._files import replacing, write_json, write_text
from tfvae._markdown import table_row
from tfvae.papers.result import Result

_DPI = 110


def write_result(output: Path, name: str, result: Result, provenance: Mapping[str, Any]) -> None:
    """Writes `NAME.json` and the pictures. No file is left incomplete.

    Args:
        output: Folder to write to.
        name: Name of the experiment.
        result: Result of the experiment.
        provenance: Command, seed, machine and time.
    """
    output.mkdir(parents=True, exist_ok=True)
    pictures = []
    for suffix, figure in result.figures.items():
        path = output / (f"{name}-{suffix}.png" if suffix else f"{name}.png")
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=_DPI, pil_kwargs={"optimize": True})
        pictures.append(path.name)
    write_json(
        output / f"{name}.json",
        {
            "title": result.title,
            "made": dict(provenance),
            "setup": [vars(setting) for setting in result.settings],
            "claims": [vars(claim) for claim in result.claims],
            "remarks": list(result.remarks),
            "tables": dict(result.tables),
            "pictures": pictures,
            "numbers": result.numbers,
        },
    )


def write_page(output: Path, title: str, introduction: str, names: tuple[str, ...]) -> None:
    """Writes `README.md` from the JSON files of the finished experiments.

    Args:
        output: Folder with the JSON files.
        title: Title of the page.
        introduction: First paragraph of the page.
        names: Names of the experiments, in order.
    """
    found = {}
    for name in names:
        path = output / f"{name}.json"
        if path.exists():
            with reading(path, "Delete it, and run the experiment again."):
                found[name] = json.loads(path.read_text("utf-8"))
    lines = [f"# {title}", "", introduction, ""]
    claims = [(name, claim) for name, content in found.items() for claim in content["claims"]]
    if claims:
        lines += ["| experiment | claim | holds | our numbers |", "| --- | --- | --- | --- |"]
        lines += [
            table_row([name, claim["statement"], "yes" if claim["holds"] else "**no**", claim["evidence"]])
            for name, claim in claims
        ]
        lines.append("")
    for content in found.values():
        lines += _section(content)
    write_text(output / "README.md", "\n".join(lines).rstrip() + "\n")


def _section(content: Mapping[str, Any]) -> list[str]:
    made = content["made"]
    lines = [f"## {content['title']}", ""]
    for picture in content["pictures"]:
        lines += [f"![{content['title']}]({picture})", ""]
    for title, table in content["tables"].items():
        lines += [f"{title}:", "", table, ""]
    for remark in content["remarks"]:
        lines += [remark, ""]
    lines += ["| symbol | meaning | name in the code | value |", "| --- | --- | --- | --- |"]
    lines += [
        table_row([_code(row["symbol"]), row["meaning"], _code(row["code"]), row["value"]]) for row in content["setup"]
    ]
    return [
        *lines,
        "",
        f"`{made['command']}` (seed {made['seed']}; {made['machine']}; {_durations(made['seconds'])}; "
        f"{made['finished'][:10]}).",
        "",
    ]


def _code(text: str) -> str:
    return f"`{text}`" if text and re.search(r"\w", text) else text


def _durations(seconds: Mapping[str, float]) -> str:
    training, measuring = seconds["pilots"] + seconds["training"], seconds["measuring"]
    return f"{_hours(training)} of training, {_hours(measuring)} of measuring"


def _hours(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7_200 else f"{seconds / 3_600:.1f} hours"
