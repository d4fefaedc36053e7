"""Carrier codecs: text in, events out; values in, text out. Nothing here does I/O or reads a clock."""
