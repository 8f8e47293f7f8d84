"""Train one method on one task: trainer, distribution, checkpoints, stage cache, evaluation."""
