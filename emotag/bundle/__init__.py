"""A saved model's folder: its config, its checksums, and the engine that runs it.

A bundle is read as a stranger's gift: nothing in it is executed, nothing
outside its folder is read, and every file must have the checksum that the
config names.
"""
