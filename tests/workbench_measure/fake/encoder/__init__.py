"""A stand-in with the encoder's command line, for testing instruments: quick to start, and it can be told to go wrong.

Streams are real AV1 by SVT-AV1 through PyAV; "encoding" a frame is a known amount of arithmetic in a compiled or
interpreted kernel. The environment variable FAULT makes it go wrong: die, abort, hang, corrupt, short, mute,
sets.
"""
