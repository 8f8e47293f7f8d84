"""One label-free score per file; higher is better."""
