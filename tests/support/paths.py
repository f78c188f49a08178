"""Where things are, from the environment the Makefile sets (BUILD) or its defaults."""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", "build"))
if not BUILD.is_absolute():
    BUILD = ROOT / BUILD


def program(name):
    """The path of one of our programs; a missing one is a failure of the build, said so."""
    path = BUILD / name
    assert path.exists(), f"{path} is not built"
    return str(path)
