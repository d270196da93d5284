"""A generic model made the person's, by markers, lengths, or height and mass; with one report."""
