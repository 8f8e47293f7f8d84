"""Clusters: brought up, handed a study, followed, taken down."""
