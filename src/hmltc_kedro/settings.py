"""Kedro's project settings."""

import os
from typing import Any

from hmltc_kedro.config import ProjectConfigLoader
from hmltc_kedro.hooks import FreshnessHooks, ProjectHooks
from hmltc_kedro_init import silence_mlflow

# Kedro sends usage data unless it is told not to: `.telemetry` is for the repository, this for the installed package.
# MLflow does too, from the moment it is imported.
os.environ.setdefault("KEDRO_DISABLE_TELEMETRY", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# What it says of every file it copies is no news here.
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

silence_mlflow()  # a notebook is no command, and says it for itself

HOOKS = (FreshnessHooks(), ProjectHooks())

# ProjectHooks keeps runs in MLflow, by kedro-mlflow's configuration. Its own hook would open the database for each
# `kedro status`, leave an empty run where one is refused and one a process of ParallelRunner, and keep settings as the
# text of whole objects, of the nodes alone that ran: `mlflow ui` could not compare them.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-mlflow", "kedro_mlflow")

CONFIG_LOADER_CLASS = ProjectConfigLoader

# Parameters merge softly: an environment that names one key of a stage keeps base's others.
CONFIG_LOADER_ARGS: dict[str, Any] = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft"},
    "config_patterns": {"mlflow": ["mlflow*"]},
}
