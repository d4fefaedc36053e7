"""Voices: text in, µ-law audio and word times out.

`espeak.py` and `flite.py` speak on this machine; `pieces.py`, `utterance.py` and `shaping.py` are what local
voices share.
"""
