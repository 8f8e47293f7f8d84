"""Deterministic phantoms: anatomy, MR signal equations, CT, scanners, files."""
