"""Write to and read from MLflow, promote and load models; the only place that imports mlflow."""
