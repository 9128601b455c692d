"""The paper's studies: its Table 1 row by row, core classes, graph convolution, style."""
