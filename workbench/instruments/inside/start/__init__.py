"""A folder that stands first on the import path of a watched program: its sitecustomize is run before the program."""
