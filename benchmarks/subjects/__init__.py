"""The systems that `benchmarks.latency` and `benchmarks.peers` measure, each with a voice webhook."""
