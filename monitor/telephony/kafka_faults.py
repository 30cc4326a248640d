"""What a fault of the Kafka client means for a command.

Owns the bounded labels of such faults, and which of them trying again can help.
"""

from __future__ import annotations

import structlog
from kafka.errors import (
    AuthorizationError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    ProducerFencedError,
)

from monitor.errors import DeliveryError
from monitor.source.kafka_rights import Operation, denied
from monitor.source.settings import KafkaConnection
from monitor.telephony.settings import SystemSettings

log = structlog.get_logger(__name__)


def delivery_error(
    fault: Exception,
    connection: KafkaConnection,
    settings: SystemSettings,
    tried: Operation = "Write",
) -> DeliveryError:
    """What the lane is to do about it; the reason is a bounded label."""
    if isinstance(fault, DeliveryError):
        return fault
    if isinstance(fault, AuthorizationError):
        detail = denied(
            fault,
            connection,
            tried,
            topics=[settings.commands],
            transactional_id=settings.transactional_id,
        )
        return DeliveryError(detail, retry=True, reason="refused")
    if isinstance(fault, ProducerFencedError):
        # Another daemon uses our transactional.id, or we were away for too long.
        log.error("commands_fenced", detail=str(fault))
        return DeliveryError(str(fault), retry=True, reason="fenced")
    if isinstance(fault, MessageSizeTooLargeError):
        return DeliveryError(str(fault), retry=False, reason="too_large")
    reason = "timeout" if isinstance(fault, KafkaTimeoutError) else "connection"
    if isinstance(fault.__cause__, AuthorizationError):  # the source has put it into words
        return DeliveryError(str(fault), retry=True, reason="refused")
    return DeliveryError(f"{type(fault).__name__}: {fault}", retry=True, reason=reason)
