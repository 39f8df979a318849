"""Prints what the tests run of the program, from the report of cargo-llvm-cov: the least covered files with
the lines that no test runs, each module, and the whole."""

import json
import pathlib
import sys
from collections import defaultdict

LEAST = 25
WANTED = 80.0


def main(path):
    root = pathlib.Path.cwd().resolve()
    data = json.load(open(path))["data"][0]
    files, modules = [], defaultdict(lambda: [0, 0])
    for file in data["files"]:
        name = pathlib.Path(file["filename"])
        name = str(name.relative_to(root)) if name.is_relative_to(root) else str(name)
        lines = file["summary"]["lines"]
        if not name.startswith("src/") or lines["count"] == 0:
            continue
        files.append((lines["percent"], lines["count"] - lines["covered"], name, file))
        parts = name.split("/")
        module = "/".join(parts[1:3]) if len(parts) > 3 else parts[1]
        modules[module][0] += lines["covered"]
        modules[module][1] += lines["count"]
    print(f"\n{'file':<52} {'lines':>7} {'missed':>7}  not run")
    for percent, missed, name, file in sorted(files, key=lambda it: -it[1])[:LEAST]:
        print(f"{name:<52} {percent:6.1f}% {missed:7}  {segments(file)[:110]}")
    print(f"\n{'module':<32} {'lines':>7} {'missed':>7}")
    for module, (covered, count) in sorted(modules.items(), key=lambda it: it[1][0] / it[1][1]):
        print(f"{module:<32} {100 * covered / count:6.1f}% {count - covered:7}")
    covered = sum(it[0] for it in modules.values())
    count = sum(it[1] for it in modules.values())
    percent = 100 * covered / count
    print(f"\n{covered} of {count} lines are run by the tests: {percent:.1f} %")
    return 0 if percent >= WANTED else 1


def segments(file):
    """Returns the lines of a file that are never run, as ranges: `3-9, 12`."""
    missed, open_from = [], None
    for line, _, count, has_count, _, is_gap in file["segments"]:
        if open_from is not None:
            missed.append((open_from, line))
            open_from = None
        if has_count and count == 0 and not is_gap:
            open_from = line
    ranges = []
    for first, last in missed:
        if ranges and first <= ranges[-1][1] + 1:
            ranges[-1][1] = max(last, ranges[-1][1])
        else:
            ranges.append([first, last])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
