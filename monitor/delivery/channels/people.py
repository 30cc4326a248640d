"""Channels to people, from their settings.

Owns the one place where such a receiver's type becomes a class, and its secrets are read.
"""

from __future__ import annotations

from monitor.clock import Clock
from monitor.delivery.channels.apprise_channel import AppriseChannel
from monitor.delivery.channels.dingtalk import DingTalkChannel
from monitor.delivery.channels.feishu import FeishuChannel
from monitor.delivery.channels.mail import MailChannel
from monitor.delivery.channels.told import PeopleChannel
from monitor.delivery.channels.wecom import WeComChannel
from monitor.delivery.messages.messages import Messages, Sources
from monitor.delivery.pacing import Pacer
from monitor.delivery.receivers import (
    AppriseReceiver,
    DingTalkReceiver,
    FeishuReceiver,
    MailReceiver,
    PeopleReceiver,
    WeComReceiver,
)
from monitor.errors import SecretError, UsageError
from monitor.secret import Secret


def open_for_people(
    name: str, receiver: PeopleReceiver, sources: Sources, clock: Clock
) -> PeopleChannel:
    """The channel of one receiver; connections are made when first needed.

    Raises:
        SecretError: a secret is not where the configuration says; names the receiver.
        UsageError: it is an address that Apprise cannot use.
    """
    messages, pacer = Messages(receiver, sources), Pacer(*receiver.rates)
    match receiver:
        case DingTalkReceiver() | FeishuReceiver():
            opened = DingTalkChannel if isinstance(receiver, DingTalkReceiver) else FeishuChannel
            return opened(
                messages,
                url=receiver.url,
                token=_revealed(name, "token", receiver.token),
                secret=_if_any(name, "secret", receiver.secret),
                clock=clock,
                pacer=pacer,
                timeout_ms=receiver.timeout,
            )
        case WeComReceiver():
            return WeComChannel(
                messages,
                url=receiver.url,
                token=_revealed(name, "key", receiver.key),
                clock=clock,
                pacer=pacer,
                timeout_ms=receiver.timeout,
            )
        case MailReceiver():
            return MailChannel(
                messages,
                receiver,
                password=_if_any(name, "password", receiver.password),
                clock=clock,
                pacer=pacer,
            )
        case AppriseReceiver():
            url = _revealed(name, "url", receiver.url)
            try:
                return AppriseChannel(messages, receiver, url=url, clock=clock, pacer=pacer)
            except UsageError as error:
                msg = f"delivery.receivers.{name}.url: {error}"
                raise UsageError(msg) from error
        case _:
            msg = f"no channel for {type(receiver).__name__}"
            raise TypeError(msg)


def _if_any(name: str, setting: str, secret: Secret | None) -> str | None:
    return None if secret is None else _revealed(name, setting, secret)


def _revealed(name: str, setting: str, secret: Secret) -> str:
    place = f"delivery.receivers.{name}.{setting}"
    try:
        text = secret.reveal().strip()
    except SecretError as error:
        msg = f"{place}: {error}"
        raise SecretError(msg) from error
    if not text:
        msg = f"{place} is empty"
        raise SecretError(msg)
    return text
