"""A folder that stands first on the import path of a program whose memory is watched: its sitecustomize is run before the
program."""
