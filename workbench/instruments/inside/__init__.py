"""Programs that an instrument starts in place of the encoder, to see it from inside; each runs as `python -m` in a
child process."""
