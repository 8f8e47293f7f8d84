"""One dataset per file: what the published layout is and how it becomes cases."""
