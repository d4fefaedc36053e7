"""What outlives a call: its record, its transcript, its folder of files."""
