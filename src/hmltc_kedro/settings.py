"""Kedro's project settings."""

import os

from hmltc_kedro.config import ProjectConfigLoader
from hmltc_kedro.hooks import FreshnessHooks, ProjectHooks

# Kedro sends usage data unless it is told not to: `.telemetry` is for the repository, this for the installed package.
os.environ.setdefault("KEDRO_DISABLE_TELEMETRY", "1")

HOOKS = (FreshnessHooks(), ProjectHooks())

CONFIG_LOADER_CLASS = ProjectConfigLoader

# Parameters merge softly: an environment that names one key of a stage keeps base's others.
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft"},
}
