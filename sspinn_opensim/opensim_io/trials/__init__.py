"""Checks that a motion and the forces of the ground belong together, before any tool runs."""
