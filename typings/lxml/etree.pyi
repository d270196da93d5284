# lxml ships no types; whatever is taken from it is of any type.
from typing import Any

def __getattr__(name: str) -> Any: ...
