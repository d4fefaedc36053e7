"""A whole call on this machine: a simulated phone, its caller, and the worker that it rings.

`Softphone` (in `phone`) and the caller's steps (in `caller`) are of use to load tests and benchmarks too.
"""
