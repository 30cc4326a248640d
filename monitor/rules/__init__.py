"""The rule engine. The rules themselves are data: the packs under rules/ at the top."""
