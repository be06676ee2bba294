"""A real AV1 encoder in Python whose kernels stand in a table: `encode`, `EncoderConfig`, `load_kernels`."""
