"""The call core: pure. No asyncio, no clock, no randomness, no I/O; time is an argument."""
