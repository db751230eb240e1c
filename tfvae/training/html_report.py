"""A run's report as one HTML file, with its figures inside."""

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
# What a browser shows, by the first bytes of the file.
_KINDS = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif"}

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

    The file needs no other, and no network.

    Args:
        run_dir: a run folder that has a report.
        path: where to write; None is `report.html` in the run folder.

    Raises:
        ValueError: when it is no run folder, has no report, or its files are damaged.
    """
    folder = RunFolder(run_dir)
    folder.require_run()
    if not folder.report_markdown.is_file():
        raise ValueError(f"The run {folder.path} has no report yet. `tfvae evaluate {folder.path}` writes it.")
    target = folder.path / "report.html" if path is None else Path(path)
    return write_text(target, _page(folder))


def _page(folder: RunFolder) -> str:
    config, markdown = (_text(path) for path in (folder.config, folder.report_markdown))
    environment = _environment(folder)
    title = markdown.partition("\n")[0].lstrip("# ")
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    body = _IMAGE.sub(lambda match: _inlined(folder.path, html.unescape(match[1]), match[2]), body)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>",
            body,
            "<h2>How it was made</h2>",
            _details("Configuration", config),
            _details("Environment", json.dumps(environment, indent=2)) if environment else "",
            f"<footer>{html.escape(_made(environment))}</footer>",
            "</body></html>",
        ]
    )


def _text(path: Path) -> str:
    with reading(path, "Expected text."):
        return path.read_text("utf-8")


def _environment(folder: RunFolder) -> dict[str, Any]:
    if not folder.environment.is_file():
        return {}
    with reading(folder.environment, "Expected what `tfvae train` wrote; without the file, a report leaves it out."):
        environment = json.loads(folder.environment.read_text("utf-8"))
        if not isinstance(environment, dict) or not isinstance(environment.get("packages", {}), dict):
            raise ValueError("it holds no table of versions")
        return environment


def _inlined(folder: Path, source: str, words: str) -> str:
    """A picture of the run folder itself, in place of its address; of anything else the words that describe it.

    So no other file of this machine goes into a report, and a report asks the network for nothing.

    Args:
        folder: the run folder.
        source: the address, as `report.md` has it.
        words: the description, as HTML.
    """
    with contextlib.suppress(OSError, ValueError, RuntimeError):  # a name that is too long, no name, a circle of links
        place = (folder / unquote(source)).resolve()
        if place.is_relative_to(folder.resolve()) and place.is_file():
            content = place.read_bytes()
            for first, kind in _KINDS.items():
                if content.startswith(first):
                    return f'<img src="data:image/{kind};base64,{base64.b64encode(content).decode()}" alt="{words}">'
    return f"<em>{words} (no picture of this run: {html.escape(shortened(source))})</em>"


def _details(summary: str, text: str) -> str:
    return f"<details><summary>{summary}</summary><pre>{html.escape(text)}</pre></details>"


def _made(environment: dict[str, Any]) -> str:
    if not environment:
        return "Made by tfvae."
    tensorflow = environment.get("packages", {}).get("tensorflow")
    return f"Made by tfvae {environment.get('tfvae')} with TensorFlow {tensorflow}, {environment.get('started')}."
