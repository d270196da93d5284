"""Inference: a trained network run over a recording, or frame by frame, and what its outputs mean."""
