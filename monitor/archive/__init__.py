"""Events kept in Parquet, by the daemon, beside what it does with them; and read again."""
