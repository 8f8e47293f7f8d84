"""Run a study through Ray Tune and Ray Train with Optuna; the only place that imports them."""
