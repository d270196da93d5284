"""Streaming: samples of sensors as they arrive, put on one clock, to estimates while the person moves."""
