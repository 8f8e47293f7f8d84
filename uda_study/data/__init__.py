"""Images in, batches out: reading, preprocessing, splits, sampling and the way back to native grids."""
