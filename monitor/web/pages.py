"""Pages of this server: their templates, and in which language a stranger reads them.

Owns the words of signing in. Directories that are given come before ours, so a page of the same
name there, such as ``signin_base.html``, is the one that is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from monitor.web.person import Language

HERE: Final = Path(__file__).parent

TEXTS: Final[Mapping[Language, Mapping[str, str]]] = MappingProxyType(
    {
        "en": {
            "title": "Sign in",
            "name": "Name",
            "password": "Password",
            "sign_in": "Sign in",
            "through": "Sign in with",
            "languages": "Language",
            "again": "Try again",
            "wrong": "The name or the password is wrong.",
            "wait": "Too many tries. Wait {seconds} s, then try again.",
            "stale": "This page was open too long, or your browser keeps no cookies. Try again.",
            "elsewhere": "This form was not sent from our own page. Try again.",
            "busy": "Too many people sign in at once. Try again in a moment.",
            "provider": "The identity provider did not sign you in. Try again; if it stays so, tell"
            " your administrator.",
            "no_role": "The identity provider knows you, but nothing here is yours to see. Ask your"
            " administrator for a role.",
        },
        "zh": {
            "title": "登录",
            "name": "用户名",
            "password": "密码",
            "sign_in": "登录",
            "through": "使用以下方式登录：",
            "languages": "语言",
            "again": "重试",
            "wrong": "用户名或密码错误。",
            "wait": "尝试次数过多，请在 {seconds} 秒后重试。",
            "stale": "页面已过期，或浏览器未保存 Cookie，请重试。",
            "elsewhere": "该表单不是从本站页面提交的，请重试。",
            "busy": "同时登录的人过多，请稍后重试。",
            "provider": "身份提供方未能让您登录。请重试；如仍失败，请联系管理员。",
            "no_role": "身份提供方认识您，但您在此没有任何权限。请向管理员申请角色。",
        },
    }
)


class Pages:
    """The templates of a site."""

    def __init__(self, language: Language, before: Sequence[Path] = ()) -> None:
        """``language``: for whoever's browser asks for none of ours."""
        self._language = language
        self._environment = Environment(
            loader=FileSystemLoader([*before, HERE / "templates"]),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def language_of(self, request: Request) -> Language:
        """As the address says, else as the browser does."""
        asked = request.query_params.get("lang", "")
        wanted = [asked, *request.headers.get("accept-language", "")[:200].split(",")]
        for each in wanted:
            match each.strip().partition(";")[0].partition("-")[0].lower():
                case "zh":
                    return "zh"
                case "en":
                    return "en"
                case _:
                    continue
        return self._language

    def render(
        self, template: str, language: Language, status: int = 200, **values: Any
    ) -> HTMLResponse:
        """A page; ``t`` in it has the words in ``language``."""
        page = self._environment.get_template(template)
        text = page.render(t=TEXTS[language], lang=language, **values)
        return HTMLResponse(text, status)
