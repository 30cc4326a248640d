"""Where records come from: Kafka, files, memory. Bytes only; their meaning is monitor.events."""
