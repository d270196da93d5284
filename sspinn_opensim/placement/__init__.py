"""Search for where sensors sit on the body."""
