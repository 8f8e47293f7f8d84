"""Pure functions from tensors to scalar losses."""
