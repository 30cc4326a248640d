"""What is computed: indicators read from YAML, compiled to shared counters."""
