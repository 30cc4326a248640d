"""Mail by SMTP: plain text and HTML, with the trend as a picture in it.

Owns the mail and the conversation. Each recipient gets a mail of its own, in a transaction of its
own, so that one whom the server refuses keeps no other from it and gives nobody a second one. The
``Message-ID`` follows from the decision: a repeat is known as one. Mails of one episode refer to
the same id, by which mail programs show them together.
"""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import ClassVar

from monitor.clock import Clock
from monitor.delivery.channels.progress import Progress
from monitor.delivery.channels.told import PeopleChannel
from monitor.delivery.messages.messages import Message, Messages, drawn
from monitor.delivery.messages.templates import Form
from monitor.delivery.pacing import Pacer
from monitor.delivery.receivers import MailReceiver
from monitor.errors import DeliveryError

_REFUSED = "refused:"
"""Before a recipient whom the server refuses for good."""


class MailChannel(PeopleChannel):
    """One list of recipients."""

    form: ClassVar[Form] = "txt"
    page: ClassVar[bool] = True

    def __init__(
        self,
        messages: Messages,
        settings: MailReceiver,
        *,
        password: str | None,
        clock: Clock,
        pacer: Pacer | None = None,
    ) -> None:
        super().__init__(messages, clock=clock)
        self.pacer = pacer
        self._settings = settings
        self._password = password
        self.progress: Progress = Progress()

    def hand_over(self, message: Message) -> str:
        """Mail it to those who have not got it yet; how many have.

        Raises:
            DeliveryError: some have not. Its text names nobody.
        """
        waiting = [
            to
            for to in self._settings.to
            if not self.progress.arrived(message.id, to)
            and not self.progress.arrived(message.id, _REFUSED + to)
        ]
        failure: DeliveryError | None = None
        try:
            with self._connected() as server:
                for to in waiting:
                    found = self._mail(server, message, to)
                    if failure is None or (found is not None and found.retry):
                        failure = found or failure
        except OSError as error:  # that of smtplib is one
            failure = _classified(error)
        return self._over(message, failure)

    def _over(self, message: Message, failure: DeliveryError | None) -> str:
        recipients = self._settings.to
        refused = [to for to in recipients if self.progress.arrived(message.id, _REFUSED + to)]
        if failure is not None and failure.retry:
            raise failure
        if failure is not None and not refused:
            raise failure
        if refused:
            for to in refused:  # put back by hand, they are asked again
                self.progress.forget(message.id, _REFUSED + to)
            text = f"the server refuses {len(refused)} of {len(recipients)} recipients"
            raise DeliveryError(text, retry=False, reason="refused")
        self.progress.over(message.id)
        return f"the server took it for {len(recipients)}"

    def _mail(self, server: smtplib.SMTP, message: Message, to: str) -> DeliveryError | None:
        """One transaction; what keeps it from being over, None where nothing does."""
        try:
            server.sendmail(self._settings.sender, [to], self._written(message, to))
        except smtplib.SMTPRecipientsRefused as error:
            failure = _of_code(next(iter(error.recipients.values()))[0])
            if not failure.retry:
                self.progress.note(message.id, _REFUSED + to)
            return failure
        self.progress.note(message.id, to)
        return None

    @contextlib.contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        settings, timeout_s = self._settings, self._settings.timeout / 1000
        name = socket.gethostname()  # not looked up: a name server must not hold up an alert
        where = (settings.host, settings.port_in_use)
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.tls == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                *where, local_hostname=name, timeout=timeout_s, context=context
            )
        else:
            server = smtplib.SMTP(*where, local_hostname=name, timeout=timeout_s)
        try:
            if settings.tls == "starttls":
                server.starttls(context=context)
            if settings.username is not None and self._password is not None:
                server.login(settings.username, self._password)
            yield server
            with contextlib.suppress(OSError):
                server.quit()  # what was taken is taken, however it says good-bye
        finally:
            server.close()

    def _written(self, message: Message, to: str) -> bytes:
        domain = self._settings.sender.rpartition("@")[2]
        mail = EmailMessage(policy=SMTP)
        mail["From"] = self._settings.sender
        mail["To"] = to
        mail["Subject"] = message.title
        mail["Date"] = format_datetime(datetime.fromtimestamp(self.clock.now_ms() / 1000, tz=UTC))
        mail["Auto-Submitted"] = "auto-generated"
        mail["Message-ID"] = f"<{message.id}@{domain}>"
        if message.episode:
            thread = f"<episode.{message.episode}@{domain}>"
            mail["In-Reply-To"] = thread
            mail["References"] = thread
        mail.set_content(message.body or message.title, cte="base64")
        mail.add_alternative(message.page, subtype="html", cte="base64")
        picture = drawn(message)
        if picture and "cid:trend" in message.page:
            page = mail.get_body(("html",))
            assert page is not None  # noqa: S101 - it was put there just now
            page.add_related(picture, "image", "png", cid="<trend>", filename="trend.png")
        return mail.as_bytes()


def _of_code(code: int) -> DeliveryError:
    later = 400 <= code < 500
    text = f"the mail server answered {code}"
    return DeliveryError(text, retry=later, reason="throttled" if later else "refused")


def _classified(error: OSError) -> DeliveryError:
    """What a conversation that broke off amounts to; the text quotes nothing of it."""
    if isinstance(error, smtplib.SMTPResponseException):
        return _of_code(error.smtp_code)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        text = "the mail server offers no such encryption or login"
        return DeliveryError(text, retry=False, reason="refused")
    kinds = (
        (TimeoutError, "no answer in time", "timeout"),
        (ssl.SSLError, "no encryption", "tls"),
        (OSError, "no connection", "connection"),
    )
    said, reason = next((said, reason) for kind, said, reason in kinds if isinstance(error, kind))
    return DeliveryError(f"{said} ({type(error).__name__})", retry=True, reason=reason)
