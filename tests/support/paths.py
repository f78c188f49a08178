"""Our programs: where they are, from the environment the Makefile sets (BUILD) or its defaults, whether they are sanitized, and their arguments."""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", "build"))
if not BUILD.is_absolute():
    BUILD = ROOT / BUILD
SANITIZED = "san" in BUILD.name
# How often slower than a usual machine this one is: an emulated one, for example (tests/kernel).
SLOWNESS = float(os.environ.get("BROKER_SLOW") or 1)


def program(name):
    """The path of one of our programs. A missing one fails the test with a sentence."""
    path = BUILD / name
    assert path.exists(), f"{path} is not built"
    return str(path)


def slow(seconds):
    """A promise about time, stretched for a sanitized build and for a slow machine."""
    return seconds * (5 if SANITIZED else 1) * SLOWNESS


def arguments(options):
    """Options as arguments of a command: isp_name="x" is --isp-name x."""
    return [arg for name, value in options.items() for arg in (f"--{name.replace('_', '-')}", str(value))]
