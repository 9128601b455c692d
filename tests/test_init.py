"""Commands say nothing of how kedro-mlflow is written."""

import subprocess
import sys
from importlib.metadata import entry_points

SCRIPT = """
import sys, warnings
from importlib.metadata import entry_points
for plugin in entry_points(group="kedro.init"):
    plugin.load()()
warnings.simplefilter("once", category=UserWarning)  # as MLflow does
warnings.warn("\\x1b[33mAdd type hints to the `predict` method to enable data validation", UserWarning)
warnings.warn("something else")
assert "hmltc_kedro" not in sys.modules
"""


def test_kedro_is_told_before_it_imports_plugins() -> None:
    assert "hmltc_kedro" in {plugin.name for plugin in entry_points(group="kedro.init")}
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "something else" in done.stderr and "type hints" not in done.stderr
