"""asyncio lives here: one call's session, its provider streams, and the worker that holds all calls."""
