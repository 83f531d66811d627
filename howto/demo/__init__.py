"""Small narrated how-to videos, drawn, encoded and captioned on the spot.

They are for the first run and for experiments: `write_demo(folder)` makes the default set, and a
`DemoSpec` with other numbers makes another. What is shown and said when is known exactly
(`demo.json`, `DemoVideo`). Importing this package loads neither numpy nor OpenCV nor PyAV.
"""

from howto.demo.generator import TRUTH_FILE, DemoVideo, write_demo
from howto.demo.script import DemoLine, DemoScript, DemoStep, make_script, make_scripts
from howto.demo.spec import DEFAULT, DEMO_VERSION, DemoSpec

__all__ = [
    "DEFAULT",
    "DEMO_VERSION",
    "TRUTH_FILE",
    "DemoLine",
    "DemoScript",
    "DemoSpec",
    "DemoStep",
    "DemoVideo",
    "make_script",
    "make_scripts",
    "write_demo",
]
