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

log = structlog.get_logger(__name__)


def delivery_error(fault: Exception) -> DeliveryError:
    """What the lane is to do about it; the reason is a bounded label."""
    if isinstance(fault, DeliveryError):
        return fault
    if isinstance(fault, ProducerFencedError):
        # Another daemon uses our transactional.id, or we were away for too long.
        log.error("commands_fenced", detail=str(fault))
        return DeliveryError(str(fault), retry=True, reason="fenced")
    if isinstance(fault, MessageSizeTooLargeError):
        return DeliveryError(str(fault), retry=False, reason="too_large")
    if isinstance(fault, AuthorizationError):
        return DeliveryError(str(fault), retry=True, reason="refused")
    reason = "timeout" if isinstance(fault, KafkaTimeoutError) else "connection"
    return DeliveryError(f"{type(fault).__name__}: {fault}", retry=True, reason=reason)
