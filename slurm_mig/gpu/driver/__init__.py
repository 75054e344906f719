"""The driver's own files: capabilities below /proc, device nodes below /dev, and their names."""
