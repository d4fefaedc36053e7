"""The web servers through which calls come in: three ways to embed the engine, and the stand-alone worker."""
