"""Waiting for conditions with a deadline, so that no test sleeps and hopes."""
import time

from support.paths import SLOWNESS


class Timeout(AssertionError):
    pass


def until(condition, seconds, what, step=0.05):
    """Calls `condition` until it returns something true, which is returned; fails with `what` after `seconds`, on a slow machine later. An exception
    counts as false."""
    seconds *= SLOWNESS
    deadline = time.monotonic() + seconds
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except Exception as error:  # what the condition looks at may not exist yet
            last = error
        if time.monotonic() > deadline:
            raise Timeout(f"{what}: not within {seconds} s (last: {last!r})")
        time.sleep(step)
