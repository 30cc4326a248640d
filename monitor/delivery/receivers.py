"""Receivers that people read on: the models of chats, mail and everything else.

Owns these settings alone; ``monitor.delivery.settings`` puts them beside the others. A token that
is part of an address is a secret of its own, so that the address can stand in the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from monitor.secret import Secret, Url
from monitor.units import DurationMs, Rate

Language = Literal["zh", "en"]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        fault = {"fault": f"there is no time zone {name}", "hint": "such as Asia/Shanghai"}
        raise PydanticCustomError("zone", "{fault}", fault) from error
    return name


class PeopleReceiver(BaseModel):
    """What all of them have."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    language: Language = "zh"
    """Of its messages: ``zh`` or ``en``."""
    zone: Annotated[str, AfterValidator(_known_zone)] | None = None
    """In which times are told, such as ``Asia/Shanghai``; left out: ``web.zone``."""
    timeout: Annotated[DurationMs, Field(gt=0, le=300_000)] = 10_000
    """How long one attempt may take."""
    rate: Rate | None = None
    """At most so many messages in so long."""

    @property
    def rates(self) -> tuple[Rate, ...]:
        """All that hold at once."""
        return () if self.rate is None else (self.rate,)


class DingTalkReceiver(PeopleReceiver):
    """A DingTalk group, by a custom robot."""

    type: Literal["dingtalk"]
    token: Secret
    """The ``access_token`` in the address that DingTalk shows."""
    secret: Secret | None = None
    """The key of the robot's security setting "sign" (``SEC…``); None: another setting holds."""
    url: Url | None = None
    """Another address than ``https://oapi.dingtalk.com/robot/send``, without the token."""
    rate: Rate | None = Rate(20, 60_000)
    """DingTalk takes 20 a minute of a robot; past that it takes none for ten minutes."""


class WeComReceiver(PeopleReceiver):
    """A WeCom (企业微信) group, by a group robot."""

    type: Literal["wecom"]
    key: Secret
    """The ``key`` in the address that WeCom shows."""
    url: Url | None = None
    """Another address than ``https://qyapi.weixin.qq.com/cgi-bin/webhook/send``, without the
    key."""
    rate: Rate | None = Rate(20, 60_000)
    """WeCom takes 20 a minute of a robot."""


class FeishuReceiver(PeopleReceiver):
    """A Feishu or Lark group, by a custom robot."""

    type: Literal["feishu"]
    token: Secret
    """The last part of the address that Feishu shows."""
    secret: Secret | None = None
    """The key of its signature check; None: there is none."""
    url: Url | None = None
    """Another address than ``https://open.feishu.cn/open-apis/bot/v2/hook``, without the token; of
    Lark it is ``https://open.larksuite.com/open-apis/bot/v2/hook``."""
    rate: Rate | None = Rate(100, 60_000)
    """Feishu takes 100 a minute of a robot; 5 a second hold besides."""

    @property
    def rates(self) -> tuple[Rate, ...]:
        """All that hold at once."""
        return (*super().rates, Rate(5, 1_000))


Address = Annotated[str, Field(pattern=r"^[!-;=?A-~]+@[A-Za-z0-9.\-\[\]:]+$", max_length=254)]


class MailReceiver(PeopleReceiver):
    """Mail, by a server that takes it from us."""

    type: Literal["mail"]
    host: Annotated[str, Field(min_length=1, max_length=253)]
    """Of the mail server."""
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    """None: 587, with ``tls: tls`` 465, with ``tls: none`` 25."""
    tls: Literal["starttls", "tls", "none"] = "starttls"
    """``starttls``: encrypted before anything is said, or not at all; ``tls``: from the first byte;
    ``none``: never, and so without a login."""
    ca_file: Path | None = None
    """Certificates to trust, PEM; none: the system's."""
    username: Annotated[str, Field(min_length=1)] | None = None
    """To log in with."""
    password: Secret | None = None
    """Of that login."""
    sender: Address
    """Whom it is from."""
    to: Annotated[tuple[Address, ...], Field(min_length=1, max_length=50)]
    """Whom it goes to; each gets a mail of its own."""

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if (self.username is None) != (self.password is None):
            msg = "username and password go together"
            raise ValueError(msg)
        if self.username is not None and self.tls == "none":
            msg = "the password would be in clear: set tls to starttls or tls"
            raise ValueError(msg)
        return self

    @property
    def port_in_use(self) -> int:
        """Given, or usual."""
        return self.port or {"starttls": 587, "tls": 465, "none": 25}[self.tls]


class AppriseReceiver(PeopleReceiver):
    """Anything that Apprise reaches, SMS gateways for one; needs the extra ``notify``."""

    type: Literal["apprise"]
    url: Secret
    """One of Apprise's addresses, for one recipient: ``twilio://…``, ``bark://…``."""
    brief: bool = False
    """Only the title and the first line, as an SMS."""
