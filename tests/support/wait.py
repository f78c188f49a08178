"""Waiting for conditions with a deadline, so that no test sleeps and hopes."""
import time


class Timeout(AssertionError):
    pass


def until(condition, seconds, what, step=0.05):
    """Calls `condition` until it returns something true, which is returned; fails with `what` after `seconds`. An exception counts as false."""
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
