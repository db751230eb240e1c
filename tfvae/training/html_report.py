"""Report of a run as a single HTML file that includes its figures."""

import base64
import contextlib
import html
import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from markdown_it import MarkdownIt

from tfvae._errors import reading, shortened
from tfvae._files import write_text
from tfvae.training.run_folder import RunFolder

_IMAGE = re.compile(r'<img src="([^"]*)" alt="([^"]*)"[^>]*>')
# Image formats that a browser shows, by the first bytes of the file.
_IMAGE_TYPES = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif"}

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --paper: #fff; --faint: #667085; --line: #e4e7ec; --tint: #f7f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ef; --paper: #14171c; --faint: #98a2b3; --line: #2b313b; --tint: #1b1f26; }
}
body { max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 1rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; padding-top: 1rem; border-top: 1px solid var(--line); }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; display: block;
  overflow-x: auto; }
th, td { padding: .35rem .8rem; border-bottom: 1px solid var(--line); text-align: left; }
th { color: var(--faint); font-weight: 600; font-size: .85rem; }
tr:hover td { background: var(--tint); }
img { max-width: 100%; height: auto; background: #fff; border: 1px solid var(--line); border-radius: 6px; }
details { margin: 1rem 0; } summary { cursor: pointer; color: var(--faint); }
pre { background: var(--tint); padding: 1rem; border-radius: 6px; overflow-x: auto; font-size: .85rem; }
@media (max-width: 34rem) {
  body { padding: 1.25rem .8rem 3rem; }
  table { font-size: .75rem; }
  th, td { padding: .3rem .25rem; }
  th { font-size: inherit; }
  table:has(th:nth-child(6)) { font-size: .68rem; }
}
footer { margin-top: 3rem; color: var(--faint); font-size: .85rem; }
"""


def write_html_report(run_dir: str | os.PathLike[str], path: str | os.PathLike[str] | None = None) -> Path:
    """Writes `report.md` with its figures, the configuration and the environment as one HTML file.

    The file needs neither other files nor a network.

    Args:
        run_dir: Run folder with a report.
        path: File to write. None is `report.html` in the run folder.

    Raises:
        ValueError: If `run_dir` is not a run folder, has no report, or its files are damaged.
    """
    folder = RunFolder(run_dir)
    folder.require_run()
    if not folder.report_markdown.is_file():
        raise ValueError(f"The run {folder.path} has no report yet. Write it with `tfvae evaluate {folder.path}`.")
    target = folder.path / "report.html" if path is None else Path(path)
    return write_text(target, _page(folder))


def _page(folder: RunFolder) -> str:
    config, markdown = (_text(path) for path in (folder.config, folder.report_markdown))
    environment = _environment(folder)
    title = markdown.partition("\n")[0].lstrip("# ")
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    body = _IMAGE.sub(lambda match: _embedded_image(folder.path, html.unescape(match[1]), match[2]), body)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>",
            body,
            "<h2>Setup</h2>",
            _details("Configuration", config),
            _details("Environment", json.dumps(environment, indent=2)) if environment else "",
            f"<footer>{html.escape(_footer(environment))}</footer>",
            "</body></html>",
        ]
    )


def _text(path: Path) -> str:
    with reading(path, "Expected text."):
        return path.read_text("utf-8")


def _environment(folder: RunFolder) -> dict[str, Any]:
    if not folder.environment.is_file():
        return {}
    with reading(
        folder.environment,
        "Expected the file written by `tfvae train`. It is optional: delete it to omit it from the report.",
    ):
        environment = json.loads(folder.environment.read_text("utf-8"))
        if not isinstance(environment, dict) or not isinstance(environment.get("packages", {}), dict):
            raise ValueError("it does not contain a table of versions")
        return environment


def _embedded_image(folder: Path, source: str, words: str) -> str:
    """Embeds a picture from the run folder. Replaces any other picture by its description.

    The report thus includes no other file of this machine and loads nothing from the network.

    Args:
        folder: Run folder.
        source: Address of the picture in `report.md`.
        words: Description of the picture as HTML.
    """
    with contextlib.suppress(OSError, ValueError, RuntimeError):  # the name is too long or empty, or links form a cycle
        place = (folder / unquote(source)).resolve()
        if place.is_relative_to(folder.resolve()) and place.is_file():
            content = place.read_bytes()
            for first, kind in _IMAGE_TYPES.items():
                if content.startswith(first):
                    return f'<img src="data:image/{kind};base64,{base64.b64encode(content).decode()}" alt="{words}">'
    return f"<em>{words} (not a picture of this run: {html.escape(shortened(source))})</em>"


def _details(summary: str, text: str) -> str:
    return f"<details><summary>{summary}</summary><pre>{html.escape(text)}</pre></details>"


def _footer(environment: dict[str, Any]) -> str:
    if not environment:
        return "Created by tfvae."
    tensorflow = environment.get("packages", {}).get("tensorflow")
    return f"Created by tfvae {environment.get('tfvae')} with TensorFlow {tensorflow}, {environment.get('started')}."
