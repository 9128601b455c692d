"""Runs and models in MLflow, where the extra `mlflow` is installed: what `mlflow ui` compares and serves."""
