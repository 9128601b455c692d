"""The array types of the whole project, each name one dtype."""

from typing import Any

import numpy as np
import numpy.typing as npt

AnyArray = npt.NDArray[Any]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
HalfArray = npt.NDArray[np.float16]
FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]
