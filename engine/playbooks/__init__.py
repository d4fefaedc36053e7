"""Playbooks that come with the engine, and the tools that they call."""
