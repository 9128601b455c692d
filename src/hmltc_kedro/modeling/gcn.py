"""Graph convolution of class embeddings over the taxonomy: each class takes up what its neighbours are about.

Two layers with residual connections, as in the paper's ablation. Classes that share a parent come closer to each
other, and it is siblings that a classifier has to tell apart: whether it helps is what the row measures.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import sparse
from torch import nn
from torch.nn.functional import normalize

from hmltc_kedro.arrays import FloatArray
from hmltc_kedro.taxonomy import Taxonomy


def normalise_adjacency(taxonomy: Taxonomy) -> sparse.csr_array:
    """Return D^-1/2 (A + A' + I) D^-1/2, sparse (C, C), float32, with D the row sums of A + A' + I.

    Edges count in both directions and each class is its own neighbour (Kipf & Welling 2017, eq. 2). The largest
    eigenvalue is 1.
    """
    edges = sparse.csr_array(taxonomy.adjacency, dtype=np.float32)
    neighbours = edges + edges.T + sparse.eye_array(len(taxonomy), dtype=np.float32)
    scale = sparse.diags_array(neighbours.sum(axis=1) ** -0.5)
    return sparse.csr_array(scale @ neighbours @ scale, dtype=np.float32)


class GraphConvolution(nn.Module):
    """H_{l+1} = H_l + Â H_l W_l, from class vectors H_0 at unit length to class vectors at unit length.

    Two things differ from Kipf & Welling (2017), both because the output is compared with sentence embeddings:

    - The W_l begin at the identity, so the untrained module is plain propagation over the graph: it needs no label
      and no parameter, and training starts from the geometry of the encoder. Learned is V_l in
      W_l = I + V_l / sqrt(d): a step of Adam at rate r moves a coordinate of x W_l by at most r |x|, as it
      does one of a class vector, so both share a learning rate. (W_l itself would move it by r |x| sqrt(d).)
    - No ReLU. The axes of a sentence embedding have no preferred sign: cutting off the negative half would turn
      all classes towards one orthant whatever the graph says, and a class without neighbours would not stay
      where it is. Without it propagation still does its work (SGC: Wu et al. 2019).

    Args:
        taxonomy: of C classes.
        dimension: d, length of a class vector.
        n_layers: steps along the edges that a class's influence reaches.
    """

    rows: torch.Tensor
    columns: torch.Tensor
    values: torch.Tensor

    def __init__(self, taxonomy: Taxonomy, dimension: int, n_layers: int = 2) -> None:
        """Lay out Â as (row, column, value) and begin at W_l = I."""
        super().__init__()
        adjacency = normalise_adjacency(taxonomy).tocoo()
        rows, columns = (torch.from_numpy(axis.astype(np.int64)) for axis in adjacency.coords)
        # No part of the state: they belong to the taxonomy. No sparse tensor: not every device multiplies those.
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("columns", columns, persistent=False)
        self.register_buffer("values", torch.from_numpy(adjacency.data), persistent=False)
        self.changes = nn.ParameterList(torch.zeros(dimension, dimension) for _ in range(n_layers))

    def forward(self, class_vectors: torch.Tensor) -> torch.Tensor:
        """Return vectors of shape (C, d), unit length, for class vectors of shape (C, d) of any length."""
        hidden = normalize(class_vectors, dim=-1)  # the graph alone decides how much a class weighs
        for change in self.changes:
            propagated = self._propagate(hidden)
            hidden = hidden + propagated + propagated @ change / math.sqrt(len(change))
        return normalize(hidden, dim=-1)

    def _propagate(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return Â H for H of shape (C, d)."""
        messages = self.values[:, None] * vectors[self.columns]
        return torch.zeros_like(vectors).index_add(0, self.rows, messages)


def smooth_embeddings(vectors: FloatArray, taxonomy: Taxonomy, n_layers: int = 2) -> FloatArray:
    """Return class vectors after untrained graph convolution: shape (C, d), float32, unit length.

    Args:
        vectors: class vectors, shape (C, d); only their direction counts.
        taxonomy: of C classes.
        n_layers: see `GraphConvolution`.

    Raises:
        ValueError: not one vector a class.
    """
    if vectors.ndim != 2 or len(vectors) != len(taxonomy):
        raise ValueError(f"vectors of shape {vectors.shape}, a taxonomy of {len(taxonomy)} classes")
    graph = GraphConvolution(taxonomy, vectors.shape[1], n_layers)
    with torch.no_grad():
        smoothed = graph(torch.from_numpy(np.array(vectors, dtype=np.float32)))
    return np.asarray(smoothed.numpy(), dtype=np.float32)
