"""Records to numbers: pure functions that measure nothing and print nothing."""
