"""What a call tells about itself: journal, replay, timeline, latency, report, live view."""
