"""The scripts that ship: three.js is what it says, and both can stand inside a page."""

import hashlib
import re

from sspinn_opensim.viewer import scripts
from sspinn_opensim.viewer.script import FOLDER, THREE, VIEWER

#: Of what docs/viewer.md says how to make.
VERSION, SHA256 = "180", "b224fbcf78c267d0f1cdb19c97658b44db88a5013533802e104b92ddf52deaf6"


def test_three_is_the_pinned_one_with_its_licence():
    text = (FOLDER / THREE).read_bytes()
    assert hashlib.sha256(text).hexdigest() == SHA256
    assert f'"{VERSION}"' in text.decode()
    assert "The MIT License" in (FOLDER / "three.LICENSE").read_text()


def test_the_scripts_may_be_inlined():
    assert list(scripts()) == [THREE, VIEWER]
    for text in scripts().values():
        assert not re.search(r"</script|<!--", text, re.IGNORECASE), "it would end the element it stands in"
        assert not re.search(r"\b(import\s*\(|importScripts|eval\(|new Function)", text), (
            "forbidden by the page"
        )
    assert not re.search(r"https?:|\bfetch\(|XMLHttpRequest|WebSocket", scripts()[VIEWER])
