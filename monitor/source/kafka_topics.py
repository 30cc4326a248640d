"""Which of the topics that are to be read are there, and which are kept from us.

Owns the first questions to a broker. A topic that is not there yet is waited for; one that we have
no right to looks just the same in a list of all topics, and is trouble, which somebody has to mend.
"""

from __future__ import annotations

import threading

from kafka.errors import KafkaError

from monitor.clock import Clock
from monitor.errors import SourceUnavailable
from monitor.source.kafka_client import Link, translate
from monitor.source.kafka_rights import lacking
from monitor.source.settings import KafkaSettings


def await_topics(link: Link, settings: KafkaSettings, clock: Clock) -> None:
    """Return when the client knows the cluster's topics, and we may read those that we want.

    Raises:
        SourceUnavailable: no answer within ``connect_timeout``, or a right is missing, and which.
    """
    _await_metadata(link, settings, clock)
    missing = [topic for topic in settings.topics if not link.cluster.partitions_for_topic(topic)]
    if not missing:
        return
    try:
        refused = link.refused(missing, settings.connect_timeout)
    except KafkaError as fault:
        raise translate(fault, "asking for topics that are missing") from fault
    if refused:
        msg = f"{settings.bootstrap}: {lacking(settings, 'Read', 'topic', refused)}"
        raise SourceUnavailable(msg)


def _await_metadata(link: Link, settings: KafkaSettings, clock: Clock) -> None:
    """All topics once: which of ours are there is not known yet."""
    heard = threading.Event()
    link.cluster.need_all_topic_metadata = True
    asked = link.cluster.request_update().add_both(lambda _: heard.set())
    # The client asks one broker of those it knows, which may be the one that has just gone.
    if not clock.wait(heard, settings.connect_timeout / 1000) or asked.failed():
        msg = f"no metadata from {settings.bootstrap}"
        raise SourceUnavailable(msg)
