"""Waiting for conditions with a deadline, so that no test sleeps and hopes."""
import time


class Timeout(AssertionError):
    pass


def until(condition, seconds, what, step=0.05):
    """Calls `condition` until it returns something true, which is returned; fails with `what` after `seconds`. Exceptions count as not yet."""
    deadline = time.monotonic() + seconds
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except Exception as error:  # the condition may look at things that are not there yet
            last = error
        if time.monotonic() > deadline:
            raise Timeout(f"{what}: not within {seconds} s (last: {last!r})")
        time.sleep(step)
