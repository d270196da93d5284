"""Files of numbers over time, and the set-ups that name them: read, checked, written."""
