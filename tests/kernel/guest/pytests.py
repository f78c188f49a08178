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


def main(files):
    bad = 0
    for file in files:
        ran = 0
        for test, result in list(run(file)):
            ran += 1
            if result in ("FAILED", "ERROR"):
                print(f"again: {test}", flush=True)
                results = [again for _, again in run(test)]
                result = results[-1] if results else "FAILED"
            name = {"PASSED": "ok", "XFAIL": "ok", "SKIPPED": "skip"}.get(result, "not ok")
            bad += name == "not ok"
            print(f"{name} {test}", flush=True)
        if ran == 0:
            bad += 1
            print(f"not ok {file} ran no test", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
