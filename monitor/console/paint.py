"""Templates become pages: what every page has, and how one is sent.

Owns the template environment (everything is escaped), the viewer's choices, and the answer. A page
that refreshes itself asks for its middle alone, by ``X-Fragment``.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from starlette.datastructures import QueryParams

from monitor.console import shown
from monitor.console.assets import assets
from monitor.console.words import HTML_LANG, LANGUAGES, Words, catalogue
from monitor.delivery.messages.sentences import sentence
from monitor.web.access import Caller
from monitor.web.alerts_api import tables_or_none
from monitor.web.live import headline
from monitor.web.office import office_of
from monitor.web.packed import packed
from monitor.web.room import room_of
from monitor.web.settings import Role

CONSOLE: Final = "/console"
HTML: Final = "text/html; charset=utf-8"
THEMES: Final = ("auto", "light", "dark")
LANGUAGE_COOKIE: Final = "monitor-language"
THEME_COOKIE: Final = "monitor-theme"
ZONE_COOKIE: Final = "monitor-zone"
_PIECES: Final = (
    "gauge", "icon", "state_icon", "sparkline", "level_mark", "scope_chips", "number_state",
    "sentence",
)  # fmt: skip
_TIME: Final = Markup('<time datetime="{}" title="{}">{}</time>')
_AGO: Final = Markup('<time datetime="{}" title="{}" data-ago>{}</time>')
_NOTHING: Final = Markup("–")
NAV: Final = (
    ("board", "/", Role.VIEWER),
    ("alerts", "/alerts", Role.VIEWER),
    ("numbers", "/numbers", Role.VIEWER),
    ("rules", "/rules", Role.VIEWER),
    ("scorecards", "/scorecards", Role.SUPERVISOR),
    ("health", "/health", Role.VIEWER),
)
"""Entries, where they lead, and who may go there."""


class Painter:
    """One request's page."""

    def __init__(self, request: Request, caller: Caller) -> None:
        cookies = request.cookies
        language = cookies.get(LANGUAGE_COOKIE, caller.language)
        theme = cookies.get(THEME_COOKIE, "auto")
        self.request, self.caller = request, caller
        self.words = Words(language if language in LANGUAGES else "en")
        self.theme = theme if theme in THEMES else "auto"
        self.zone = shown.zone_of(cookies.get(ZONE_COOKIE) or caller.zone)
        self.now = datetime.fromtimestamp(office_of(request).clock.now_ms() / 1000, tz=UTC)

    def page(
        self, template_: str, here_: str, /, *, answered: int = 200, **values: Any
    ) -> Response:
        """A whole page, or its middle where that was asked for.

        Args:
            template_: its name.
            here_: the entry of the navigation that is lit.
            answered: the status.
            values: what the template shows.
        """
        template = _environment().get_template(template_)
        context = self._context(here_) | values
        if self.request.headers.get("x-fragment"):
            made = template.new_context(context)
            text = "".join(template.blocks["main"](made))
        else:
            text = template.render(context)
        return packed(self.request, text, media_type=HTML, status=answered)

    def fragment(self, template_: str, /, **values: Any) -> Response:
        """A piece that is put into a page."""
        text = _environment().get_template(template_).render(self._context("") | values)
        return packed(self.request, text, media_type=HTML)

    def _context(self, here: str) -> dict[str, Any]:
        request, words = self.request, self.words
        room, tables = room_of(request), tables_or_none(request)
        caller = self.caller
        return {
            "t": words,
            "lang": HTML_LANG[words.language],
            "language": words.language,
            "languages": LANGUAGES,
            "theme": self.theme,
            "themes": THEMES,
            "zone": str(self.zone),
            "caller": caller,
            "role": caller.role.name.lower(),
            "may_act": caller.role >= Role.SUPERVISOR,
            "operator": caller.role >= Role.OPERATOR,
            "admin": caller.role >= Role.ADMIN,
            "csrf": getattr(caller, "csrf", ""),
            "session": bool(getattr(caller, "session", "")),
            # Whose alerts pop up; a viewer has no team, and looks after all.
            "pops_of": sorted(caller.teams) if caller.teams else None,
            "nav": [(name, to) for name, to, least in NAV if caller.role >= least],
            "here": here,
            "base": CONSOLE,
            "path": request.url.path,
            "query": dict(request.query_params),
            "head": None if tables is None else headline(tables.picture, tables.version),
            "last_event": room.hub.last,
            "at": self._at,
            "ago": self._ago,
            "lasts": self._lasts,
            "detail": self._detail,
            "link": self._link,
            "static": _static,
            "shown": shown,
            "now_iso": self.now.isoformat(),
            "js_words": _js_words(words.language),
        }

    def _at(self, stamp: str | int | None) -> Markup:
        """A moment: the time of day in the viewer's zone."""
        when = shown.moment(stamp)
        if when is None:
            return _NOTHING
        whole = when.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S %Z")
        return _TIME.format(when.isoformat(), whole, shown.clock(when, self.zone, self.now))

    def _ago(self, stamp: str | int | None) -> Markup:
        """A moment: how long ago, or how long it takes; kept true by the page."""
        when = shown.moment(stamp)
        if when is None:
            return _NOTHING
        seconds = (self.now - when).total_seconds()
        unit, count = shown.span(seconds)
        key = "time.ago" if seconds >= 0 else "time.left"
        text = self.words(key, span=self.words(f"time.{unit}", n=count))
        whole = when.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S %Z")
        return _AGO.format(when.isoformat(), whole, text)

    def _detail(self, text: str) -> str:
        """What a guard or a history keeps, in the viewer's language and zone."""
        return sentence(text, self.words.language, self._moment)

    def _moment(self, stamp: str) -> str:
        when = shown.moment(stamp)
        return "" if when is None else shown.clock(when, self.zone, self.now)

    def _lasts(self, seconds: float | None) -> str:
        """A duration in words."""
        if seconds is None:
            return shown.NOTHING
        unit, count = shown.span(seconds)
        return self.words(f"time.{unit}", n=count)

    def _link(self, path: str | None = None, **changed: Any) -> str:
        """This page's address, or another's, with some of its query changed; None: left out."""
        asked = self.request.query_params if path is None else QueryParams()
        query: dict[str, list[str]] = {name: asked.getlist(name) for name in asked}
        for name, value in changed.items():
            several = value if isinstance(value, list) else [value]
            query[name] = [str(each) for each in several if each not in {None, ""}]
        told = urlencode([(name, each) for name, values in query.items() for each in values])
        address = self.request.url.path if path is None else f"{CONSOLE}{path}"
        return f"{address}?{told}" if told else address


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("monitor.console"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["value"] = shown.value
    made.filters["bound"] = shown.bound
    made.filters["compact"] = shown.compact
    made.filters["size"] = shown.size
    # As globals, since a page's middle is painted without what stands around it.
    pieces = made.get_template("macros.html").module
    for name in _PIECES:
        made.globals[name] = getattr(pieces, name)
    return made


def _static(name: str) -> str:
    return f"{CONSOLE}/static/{assets().names[name]}"


@cache
def _js_words(language: str) -> str:
    """The words that scripts need, as JSON."""
    told = catalogue(language)
    wanted = {key: text for key, text in told.items() if key.startswith(("js.", "time."))}
    return json.dumps(wanted, ensure_ascii=False)
