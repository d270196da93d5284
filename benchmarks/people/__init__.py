"""Real people, from the vendor's raw file to errors against what their laboratory measured."""
