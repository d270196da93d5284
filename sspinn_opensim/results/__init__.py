"""A results folder: its files, their record, and what to do with them in OpenSim."""
