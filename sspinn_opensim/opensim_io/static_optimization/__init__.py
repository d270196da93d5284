"""Muscle forces by OpenSim's static optimization: set-up, checks, slices of time, verdict."""
