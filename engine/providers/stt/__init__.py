"""Transcribers: caller audio in, words out. `pocketsphinx.py` runs on this machine."""
