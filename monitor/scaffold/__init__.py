"""New packs, indicators and rules as YAML, each with a first test that passes."""
