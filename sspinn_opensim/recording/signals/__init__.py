"""Signals as series of numbers: filters, runs, magnitudes, rotations."""
