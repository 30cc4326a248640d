"""``monitor users``: people who sign in with a password.

Owns the command line only. A password is asked for at the terminal without being shown, or read
from a file; it is never an argument, which others could see.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from monitor.cli.asking import write_down
from monitor.cli.declare import group, member
from monitor.cli.options import ConfigOption, JsonOption, site_of, store_of
from monitor.cli.output import console, plain_table
from monitor.cli.stream import say
from monitor.errors import UsageError
from monitor.site import Site
from monitor.store.accounts import User
from monitor.web.person import Person
from monitor.web.settings import NAME_PATTERN

app = group("People who sign in: add, list, passwd, role, remove, hash.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="As the audit will show it.")]
RoleOption = Annotated[
    str, typer.Option("--role", metavar="ROLE", help="viewer, supervisor, operator or admin.")
]
RoleArgument = Annotated[
    str, typer.Argument(metavar="ROLE", help="viewer, supervisor, operator or admin.")
]
TeamOption = Annotated[
    list[str] | None,
    typer.Option("--team", metavar="TEAM", help="Whose alerts a supervisor acts on; several."),
]
LanguageOption = Annotated[
    str | None, typer.Option("--language", metavar="LANGUAGE", help="Of pages: zh or en.")
]
ZoneOption = Annotated[
    str | None,
    typer.Option("--zone", metavar="ZONE", help="Of the times shown, such as Asia/Shanghai."),
]
FileOption = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help="Its first line is the password; without it you are asked.",
        exists=True,
        dir_okay=False,
        readable=True,
    ),
]


@member(app, "add", "users add lin --role supervisor --team north --team south")
def add(
    name: NameArgument,
    role: RoleOption = "viewer",
    team: TeamOption = None,
    language: LanguageOption = None,
    zone: ZoneOption = None,
    password_file: FileOption = None,
    config: ConfigOption = None,
) -> None:
    """Let somebody sign in; the password is asked for and not shown."""
    site = site_of(config)
    _free(site, name)
    person = _person(role=role, teams=team or [], language=language, zone=zone)
    hashed = _hashed(name, password_file)
    user = User(name, person.role, person.teams, hashed, person.language, person.zone)
    with store_of(site) as store:
        if not store.users.add(user):
            msg = f"there is a user {name} already: monitor users passwd, monitor users role"
            raise UsageError(msg)
        write_down(store, "users add", name, _rights(user))
    say(f"{name} may sign in: {_rights(user)}")


@member(app, "list", "users list", "users list --json")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Who may sign in with a password, of the store and of the configuration."""
    site = site_of(config)
    with store_of(site) as store:
        users = store.users.all()
    rows = [(user, "store") for user in users if user.name not in site.config.web.users]
    rows += [
        (User(name, user.role, user.teams, "", user.language, user.zone), "configuration")
        for name, user in site.config.web.users.items()
    ]
    if as_json:
        for user, place in rows:
            shown = {"name": user.name, "role": user.role, "teams": list(user.teams)}
            more = {"language": user.language, "zone": user.zone, "in": place}
            say(json.dumps(shown | more, ensure_ascii=False))
        return
    table = plain_table("name", "role", "teams", "language", "zone", "in")
    for user, place in rows:
        more_of = (user.language or "", user.zone or "")
        table.add_row(user.name, user.role, ", ".join(user.teams), *more_of, place)
    if rows:
        console().print(table)
    else:
        say("nobody yet: monitor users add")


@member(app, "passwd", "users passwd lin")
def passwd(
    name: NameArgument, password_file: FileOption = None, config: ConfigOption = None
) -> None:
    """Give somebody another password; their sessions end."""
    site = site_of(config)
    hashed = _hashed(name, password_file)
    _change(site, name, "users passwd", lambda u: replace(u, hash=hashed, version=u.version + 1))
    say(f"{name} has another password; sessions with the old one are over")


@member(app, "role", "users role lin operator", "users role lin supervisor --team north")
def role(
    name: NameArgument, role: RoleArgument, team: TeamOption = None, config: ConfigOption = None
) -> None:
    """Give somebody another role, or other teams; their sessions end."""
    person = _person(role=role, teams=team or [])
    user = _change(
        site_of(config),
        name,
        "users role",
        lambda u: replace(u, role=person.role, teams=person.teams, version=u.version + 1),
    )
    say(f"{name}: {_rights(user)}")


@member(app, "remove", "users remove lin")
def remove(name: NameArgument, config: ConfigOption = None) -> None:
    """Let somebody sign in no longer; their sessions end."""
    site = site_of(config)
    with store_of(site) as store:
        if not store.users.remove(name):
            raise _nobody(site, name)
        write_down(store, "users remove", name)
    say(f"{name} may sign in no longer")


@member(app, "hash", "users hash")
def hash_(password_file: FileOption = None) -> None:
    """Print the hash of a password, for web.users in the configuration."""
    say(_hashed("", password_file))


def _hashed(name: str, file: Path | None) -> str:
    from monitor.web.passwords import CHARS_MAX, Passwords, unfit  # noqa: PLC0415 - these alone

    if file is None:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        with file.open(encoding="utf-8") as lines:
            password = lines.readline(CHARS_MAX + 2).rstrip("\r\n")
    fault = unfit(name, password)
    if fault:
        raise UsageError(fault)
    return Passwords().hash(password)


def _person(**said: Any) -> Person:
    try:
        return Person.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f"{part}: " for part in first["loc"][:1])
        msg = f"{where}{first['msg'].removeprefix('Value error, ')}"
        raise UsageError(msg) from error


def _free(site: Site, name: str) -> None:
    web = site.config.web
    if not NAME_PATTERN.fullmatch(name):
        msg = "a name has up to 64 letters, digits and . _ @ -"
        raise UsageError(msg)
    if name in web.users or name in web.tokens:
        msg = f"{name} is in the configuration already, under web"
        raise UsageError(msg)


def _change(site: Site, name: str, action: str, changed: Callable[[User], User]) -> User:
    with store_of(site) as store:
        user = store.users.change(name, changed)
        if user is None:
            raise _nobody(site, name)
        write_down(store, action, name, _rights(user))
    return user


def _nobody(site: Site, name: str) -> UsageError:
    if name in site.config.web.users:
        return UsageError(f"{name} is in web.users of the configuration, and is changed there")
    return UsageError(f"there is no user {name}: monitor users list")


def _rights(user: User) -> str:
    return f"{user.role} of {', '.join(user.teams)}" if user.teams else user.role
