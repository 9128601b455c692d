"""Weakly supervised hierarchical multi-label text classification, as a Kedro project.

The method lives in folders named after the phases of the paper, which never import Kedro; `pipelines`, `datasets`
and `hooks` wire it to the catalog.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hmltc_kedro.modeling import HierarchicalClassifier
    from hmltc_kedro.taxonomy import Taxonomy

__version__ = "0.1.0"
__all__ = ["HierarchicalClassifier", "Taxonomy", "__version__"]


def __getattr__(name: str) -> Any:
    """Import the two public classes on first use, so that importing one module does not import all."""
    if name == "HierarchicalClassifier":
        from hmltc_kedro.modeling import HierarchicalClassifier

        return HierarchicalClassifier
    if name == "Taxonomy":
        from hmltc_kedro.taxonomy import Taxonomy

        return Taxonomy
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
