"""In the guest: pytests.py FILE... runs files of tests/, each failed test once more and alone, and prints a line a test: ok, not ok, skip."""
import os
import re
import subprocess
import sys

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
RESULT = re.compile(r"^(\S+\.py::.+?) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)\b.*")


def run(*what):
    """Yields (test, result) for each, and shows the rest of what pytest says."""
    command = [sys.executable, "-B", "-m", "pytest", "-v", "-rfEs", "--tb=short", *what]
    with subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        for line in child.stdout:
            found = RESULT.match(line)
            if found:
                yield found.groups()
            else:
                print(line, end="", flush=True)


def say(test, result):
    """True when it is bad."""
    name = {"PASSED": "ok", "XFAIL": "ok", "SKIPPED": "skip"}.get(result, "not ok")
    print(f"{name} {test}", flush=True)
    return name == "not ok"


def run_file(file):
    """The number of its tests that failed twice; a file without a test counts as one."""
    ran, bad, failed = 0, 0, []
    for test, result in run(file):
        ran += 1
        if result in ("FAILED", "ERROR"):
            failed.append(test)
        else:
            bad += say(test, result)
    for test in dict.fromkeys(failed):
        print(f"again: {test}", flush=True)
        bad += say(test, ([again for _, again in run(test)] or ["FAILED"])[-1])
    return bad if ran else int(say(f"{file} ran no test", "FAILED"))


if __name__ == "__main__":
    sys.exit(1 if sum([run_file(file) for file in sys.argv[1:]]) else 0)
