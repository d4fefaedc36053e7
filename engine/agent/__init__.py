"""The agent: everything a call can be set to, from a file, from Python or from a request."""

from engine.agent.load import load_agent, shipped_agents
from engine.agent.model import Agent, effective
from engine.agent.problems import InvalidAgent
from engine.agent.to_policy import to_policy

__all__ = ["Agent", "InvalidAgent", "effective", "load_agent", "shipped_agents", "to_policy"]
