"""A folder that stands first on the import path of a program that is counted: its sitecustomize is run before the program."""
