"""The life of an outbound number: when it is suspended, and what forbids it."""
