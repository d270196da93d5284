"""The built-in recording: a walk found by optimal control on the planar model, and what its sensors read."""
