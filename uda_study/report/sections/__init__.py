"""The sections of a study's report, one per file."""
