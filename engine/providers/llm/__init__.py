"""Language models: a conversation in, text and tool calls out. `playbook.py` follows a written script."""
