"""The reference kernels: loops transcribed from the specification. They run as Python and compile as they are."""
