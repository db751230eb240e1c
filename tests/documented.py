"""The commands and blocks of code that README and docs show."""

import ast
import re
import shlex
import textwrap
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")))
_KEYWORDS = {"$", "if", "then", "else", "fi", "srun"}
_SEPARATORS = {";", "|", "||", "&&", "&"}
_INLINE = re.compile(r"`((?:tfvae|make|python|saved_model_cli|tensorboard|docker|curl|pip) [^`]+)`")


class Command(NamedTuple):
    """A command, split into words, and where it stands: in a block, or within a sentence."""

    page: str
    words: tuple[str, ...]
    is_in_block: bool

    @property
    def program(self):
        return self.words[0]

    def __str__(self):
        return f"{self.page}: {shlex.join(self.words)}"


def blocks(page):
    """The blocks of a page, as (language, text); of an indented one the language is not said."""
    text = (ROOT / page).read_text()
    fenced = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    found = [(language, code) for language, code in fenced.findall(text)]
    indented = re.compile(r"(?:(?<=\n\n)|\A)((?: {4}.*\n|\n(?= {4}))+)")
    found += [("", textwrap.dedent(code)) for code in indented.findall(fenced.sub("\n", text))]
    return found


def is_python(code):
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


def commands(page):
    """Every shell command of a page: in blocks, and within its sentences."""
    whole = [code for language, code in blocks(page) if language in ("", "sh") and not is_python(code)]
    shell = [part for code in whole for part in code.split("\n\n") if not is_python(part)]
    lines = [(line, True) for code in shell for line in code.replace("\\\n", " ").splitlines()]
    sentences = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    lines += [(" ".join(line.split()), False) for line in _INLINE.findall(sentences)]
    return [Command(page, words, is_in_block) for line, is_in_block in lines for words in _split(line)]


def _split(line):
    """The words of each command of a line."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";|&")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word not in _SEPARATORS:
            words += [word] if words or word not in _KEYWORDS else []
        elif words:
            yield tuple(words)
            words = []
