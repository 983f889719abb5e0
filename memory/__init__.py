"""The disk: the event log, tables and their previews, the starter library."""
