"""Blocks that methods share by having them, not by inheriting."""
