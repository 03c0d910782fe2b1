"""A whole params.yaml: its model, checks, reading, messages, schema and page."""
