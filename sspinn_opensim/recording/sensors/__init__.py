"""Sensors on a body: where each sits, how it is mounted, and what it reads at rest."""
