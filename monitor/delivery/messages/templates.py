"""The templates that messages are made of: those that ship, and the site's own over them.

Owns loading, the sandbox, the bound on what comes out, and faults with file and line. A template is
``<kind>.<language>.<form>``: its first line is the title, the rest the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from traceback import extract_tb
from typing import Any, Literal

from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined, TemplateError
from jinja2.exceptions import TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from monitor.delivery.messages.words import word
from monitor.errors import ConfigError, Problem

Form = Literal["txt", "md", "html"]
KINDS = ("alert", "notice", "digest", "test")
LANGUAGES = ("en", "zh")
FORMS: tuple[Form, ...] = ("txt", "md", "html")
SHIPPED = Path(__file__).with_name("templates")
LAYOUT = "layout.html"
CHARS_MAX = 16_000
"""Of one message; what is beyond it is cut off."""
TITLE_CHARS_MAX = 120
_CUT = "…"


def name_of(kind: str, language: str, form: Form) -> str:
    """``alert.zh.md``."""
    return f"{kind}.{language}.{form}"


NAMES = frozenset(
    name_of(kind, language, form) for kind in KINDS for language in LANGUAGES for form in FORMS
) | {LAYOUT}


class Templates:
    """All templates of a site; any thread may use them."""

    def __init__(self, folder: Path | None = None) -> None:
        """``folder``: of the site's own; None: those that ship."""
        self._folder = folder
        folders = [SHIPPED] if folder is None else [folder, SHIPPED]
        self._environments = {language: _environment(folders, language) for language in LANGUAGES}

    def render(self, kind: str, language: str, form: Form, facts: Mapping[str, Any]) -> str:
        """The text of one message, cut off where it is too long.

        Raises:
            ConfigError: the template is wrong; names file and line.
        """
        name = name_of(kind, language, form)
        pieces: list[str] = []
        length = 0
        try:
            template = self._environments[language].get_template(name)
            for piece in template.generate(facts):
                pieces.append(piece)
                length += len(piece)
                if length > CHARS_MAX:
                    pieces.append(_CUT)
                    break
        except Exception as error:
            # A template may call anything that the sandbox lets it; whatever it raises is its own.
            raise ConfigError([self._problem(name, error)]) from error
        text = "".join(pieces)
        return text if length <= CHARS_MAX else text[:CHARS_MAX] + _CUT

    def strangers(self) -> list[Problem]:
        """Files in the site's folder that no message is made of, and a folder that is not there."""
        if self._folder is None:
            return []
        if not self._folder.is_dir():
            return [Problem(self._folder, 0, 0, "there is no such folder")]
        hint = "a template is called such as alert.zh.md: kind, language, form"
        return [
            Problem(path, 0, 0, "no message is made of this file", hint)
            for path in sorted(self._folder.iterdir())
            if path.name not in NAMES and not path.name.startswith(".")
        ]

    def _problem(self, name: str, error: Exception) -> Problem:
        path, line = self._where(name, error)
        if isinstance(error, TemplateError):
            message = error.message or type(error).__name__
        else:
            message = f"{type(error).__name__}: {error}"
        return Problem(path, line, 1 if line else 0, message)

    def _where(self, name: str, error: Exception) -> tuple[Path, int]:
        if isinstance(error, TemplateSyntaxError):
            return Path(error.filename or self._path(error.name or name)), error.lineno
        for frame in reversed(extract_tb(error.__traceback__)):
            if Path(frame.filename).name in NAMES:
                return Path(frame.filename), frame.lineno or 0
        return self._path(name), 0

    def _path(self, name: str) -> Path:
        own = None if self._folder is None else self._folder / name
        return own if own is not None and own.exists() else SHIPPED / name


def parted(text: str) -> tuple[str, str]:
    """The title, which is the first line, and the text below it, without needless empty lines."""
    title, _, body = text.strip().partition("\n")
    lines: list[str] = []
    for line in body.strip().splitlines():
        if line.strip() or (lines and lines[-1]):
            lines.append(line.rstrip())
    title = title.strip()
    if len(title) > TITLE_CHARS_MAX:
        title = title[: TITLE_CHARS_MAX - 1] + _CUT
    return title, "\n".join(lines)


def _environment(folders: list[Path], language: str) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=ChoiceLoader([FileSystemLoader(folder) for folder in folders]),
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        cache_size=64,
        auto_reload=False,
    )
    environment.globals["word"] = partial(word, language=language)
    environment.globals["language"] = language
    return environment
