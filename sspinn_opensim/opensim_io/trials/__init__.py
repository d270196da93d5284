"""Do a motion and the forces of the ground belong together? Looked at before any tool runs."""
