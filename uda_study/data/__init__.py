"""Images in, batches out: reading, preprocessing, splits, sampling and native grids."""
