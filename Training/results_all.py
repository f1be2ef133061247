"""Run all rows of RESULTS.md in order, each in a process of its own; rows that are done are left out.

    python Training/results_all.py --data FOLDER                 (as often as needed: it goes on where it was)
    python Training/results_all.py --data FOLDER --again         (three drawn rows a second time, once all are done)

A row that fails is recorded with its reason and does not stop the others; --retry runs it again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from fnmatch import fnmatch
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from LMISCore.errors import InputError
from Training.results_measure import write_record
from Training.results_table import draw, is_done, read_record, read_rows, record_path


def waiting(pattern: str, again: bool, retry: bool) -> list[str]:
    """Ids of the rows still to be run; ``pattern`` is as for file names."""
    ids = [row.id for row in read_rows() if fnmatch(row.id, pattern)]
    if not ids:
        raise InputError(f"No row's id matches {pattern!r}; give a pattern such as 'ct-tirnet*'.")
    if again:
        ids = draw([name for name in ids if is_done(read_record(name))])
    records = {name: read_record(name, again) for name in ids}
    return [name for name, record in records.items() if record is None or (retry and not is_done(record))]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", metavar="FOLDER", required=True, help="holds the three data sets")
    parser.add_argument("--work", metavar="FOLDER", default="runs/results", help="for the checkpoints")
    parser.add_argument("--rows", metavar="PATTERN", default="*", help="only rows whose id matches")
    parser.add_argument("--again", action="store_true", help="run the three drawn rows a second time")
    parser.add_argument("--retry", action="store_true", help="also run rows that failed")
    parser.add_argument("--minutes", type=float, help="begin no row that would probably end later than this")
    options = parser.parse_args()
    began, longest, failed = time.monotonic(), 0.0, 0
    try:
        names = waiting(options.rows, options.again, options.retry)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    for name in names:
        started = time.monotonic()
        if options.minutes is not None and started - began + longest > 60 * options.minutes:
            break
        command = [sys.executable, str(Path(__file__).with_name("results_row.py")), name]
        command += ["--data", options.data, "--work", options.work, *(["--again"] if options.again else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        longest = max(longest, time.monotonic() - started)
        if done.returncode:
            failed += 1
            lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            why = lines[-1] if lines else f"exit code {done.returncode}"
            write_record(record_path(name, options.again), {"row": name, "failed": why})
            print(f"{name}: failed: {why}", flush=True)
        else:
            print(f"{done.stdout.strip()}, {time.monotonic() - started:.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
