#!/usr/bin/env python3
"""Measures provtrace against other tools on simulated shares, in turn, several times.

    cargo build --release --examples
    python3 tests/bench/compare.py                       # all shares, below the system's folder for temporary files
    python3 tests/bench/compare.py --shares files-1000 --rounds 9
    python3 tests/bench/compare.py --callgrind           # counts instructions on a small share, too
    python3 tests/bench/compare.py --shares --linear     # 100 MB to 10 GB; needs 15 GB of disk, and of memory to be warm

Times of one round are of the same minute of the same machine: what is printed are ratios against
the peer of the same round, their median and their spread. A tool that is not installed is left out,
and the output says so. Everything is warm: each share is read once before it is measured.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORDS = "Exiting with return code|Command line|Last status"
# Each share: what the simulator is told.
SHARES = {
    "files-1000": ["--devices", "50", "--seed", "11", "--bulk", "1g"],
    "files-4": ["--devices", "4", "--seed", "11", "--bulk", "4g", "--history-days", "1"],
    "files-100000": ["--devices", "5000", "--seed", "12"],
    "utf-16": ["--devices", "20", "--seed", "3", "--bulk", "200m", "--encodings", "100"],
    "zips": ["--devices", "50", "--seed", "4", "--bulk", "1g", "--zips", "100"],
}
NAMES = [*SHARES, "device-50000"]
# One device of so many small logs, each of another task and time.
MANY = 50_000
# Shares that differ in size alone: gigabytes, devices.
SIZES = [(0.1, 5), (0.3, 15), (1, 50), (3, 150), (10, 500)]
# lnav does not load thousands of files at once: it is given the largest ones, up to so many bytes.
LNAV_BYTES = 200_000_000
MOST_FOR_LNAV = 500


def arguments():
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--binary", type=Path, default=target / "provtrace")
    parser.add_argument("--fleet", type=Path, default=target / "examples" / "fleet")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "provtrace-bench")
    parser.add_argument("--shares", nargs="*", choices=NAMES, default=NAMES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slow-rounds", type=int, default=1, help="rounds of DuckDB and lnav; 0 leaves them out")
    parser.add_argument("--callgrind", action="store_true")
    parser.add_argument("--linear", action="store_true", help="time and memory from 100 MB to 10 GB")
    return parser.parse_args()


def write_many(share):
    """A device of many small logs: what limits it is what is kept of each."""
    data = share / "PC-1" / "Program Files (x86)" / "LANDesk" / "LDClient" / "Data"
    data.mkdir(parents=True)
    lines = [
        (0, "Command line: /taskid={task} /provisioning /noui /bandwidth=lan"),
        (0, "Processing package Citrix Workspace"),
        (1, "Downloading to sdmcache: http://EPMCORE02/pkg/citrixworkspace.exe"),
        (5, "Installer still active, 2 child processes"),
        (13, "Installer still active, 2 child processes"),
        (41, "Setting environment for SYSTEM account"),
        (79, "Preferred server lookup returned 0 entries"),
        (105, "processing of package is complete, result 0 (0x00000000 - code 0)"),
        (105, "Sending task status task={task} -retcode 0"),
        (105, 'Sending task status ldap="CN=PC-1,OU=Clients,DC=corp" task={task} -retcode 0'),
    ]
    for number in range(MANY):
        begin, task = datetime(2024, 3, 1) + timedelta(minutes=3 * number), 10_000 + number
        text = "".join(f"{begin + timedelta(seconds=later):%a, %d %b %Y %H:%M:%S} {line.format(task=task)}\r\n"
                       for later, line in lines)
        (data / f"sdclient_task{task}.log").write_bytes(text.encode())


def make(name, share, options):
    if share.is_dir():
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    if name == "device-50000":
        write_many(share)
    else:
        subprocess.run([options.fleet, share, *SHARES[name]], check=True)


def files(share):
    return sorted(path for path in share.rglob("*") if path.is_file())


def measure(command, text=None):
    """Wall time, processor time and peak memory (MB) of a command."""
    # What the parent holds counts for a child, too, unless a small program stands between them.
    between = shutil.which("time")
    note = tempfile.NamedTemporaryFile(mode="r")
    command = [between, "-f", "%M", "-o", note.name, *command] if between else command
    start = time.perf_counter()
    with tempfile.TemporaryFile() as given:
        given.write(text or b"")
        given.seek(0)
        process = subprocess.Popen(command, stdin=given, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        stderr = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    # ripgrep says so that it found nothing.
    if process.returncode != 0 and not ("rg" in command and process.returncode == 1):
        sys.exit(f"{' '.join(map(str, command))[:200]}: {process.returncode}\n{stderr.decode()[-2000:]}")
    wall = time.perf_counter() - start
    peak = int(note.read().split()[-1]) / 1024 if between else float("nan")
    return wall, usage.ru_utime + usage.ru_stime, peak


def duckdb_script(paths):
    """Splits stamp and message of every line by one regular expression and counts them."""
    listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
    return f"""
import duckdb
print(duckdb.sql(r'''
  select count(*), count(stamp), count(distinct stamp), sum(length(message)) from (
    select regexp_extract(line, '^(\\w{{3}}, \\d+ \\w{{3}} \\d{{4}} [\\d:]{{8}}) (.*)$', 1) as stamp,
           regexp_extract(line, '^(\\w{{3}}, \\d+ \\w{{3}} \\d{{4}} [\\d:]{{8}}) (.*)$', 2) as message
    from read_csv([{listed}], columns={{'line': 'VARCHAR'}}, delim='\\x01', quote='', escape='',
                  header=false, strict_mode=false, ignore_errors=true, max_line_size=2000000))
''').fetchall())
"""


def peers(share, slow):
    """Name, command, standard input, bytes, whether it is slow; and what is left out."""
    found, left_out = [], []
    paths = files(share)
    size = sum(path.stat().st_size for path in paths)
    logs = [path for path in paths if path.name.lower().startswith("vulscan") and path.suffix == ".log"]
    listed = b"\0".join(bytes(path) for path in paths)
    if shutil.which("xargs"):
        found.append(("cat", ["xargs", "-0", "cat"], listed, size, False))
    else:
        left_out.append("cat: no xargs")
    if shutil.which("rg"):
        found.append(("rg -c, three words", ["rg", "-uuu", "-c", "-e", WORDS, str(share)], None, size, False))
    else:
        left_out.append("ripgrep: rg is not installed")
    if slow and logs:
        bytes_of_logs = sum(path.stat().st_size for path in logs)
        try:
            import duckdb  # noqa: F401
            # By standard input: so many names are too long for a command.
            script = duckdb_script(logs).encode()
            found.append(("duckdb", [sys.executable, "-"], script, bytes_of_logs, True))
        except ImportError:
            left_out.append("DuckDB: pip install duckdb")
        some, total = [], 0
        for path in sorted(logs, key=lambda path: -path.stat().st_size):
            if total + path.stat().st_size <= LNAV_BYTES:
                some.append(path)
                total += path.stat().st_size
        if shutil.which("lnav") and len(some) > MOST_FOR_LNAV:
            left_out.append(f"lnav: {len(some):,} files are too many for it")
        elif shutil.which("lnav") and some:
            found.append(("lnav", ["lnav", "-n", "-c", ";select count(*) from all_logs", *map(str, some)], None, total, True))
        else:
            left_out.append("lnav: not installed" if some else "lnav: no log is small enough for it")
    return found, left_out, size


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def compare(name, options):
    share = options.folder / name
    make(name, share, options)
    others, left_out, size = peers(share, options.slow_rounds > 0)
    analyze = [str(options.binary), "analyze", str(share), "--format", "json", "--no-progress"]
    own = [("provtrace, all cores", analyze), ("provtrace, one thread", [*analyze, "--threads", "1"])]
    print(f"\n## {name}: {len(files(share)):,} files, {size / 1e6:,.0f} MB")
    for reason in left_out:
        print(f"left out: {reason}")
    for path in files(share):  # warm
        path.read_bytes()
    results = {}
    for turn in range(options.rounds):
        for label, command in own:
            results.setdefault(label, []).append(measure(command))
        for label, command, text, _, slow in others:
            if not slow or turn < options.slow_rounds:
                results.setdefault(label, []).append(measure(command, text))
    print("| | wall s | processor s | MB/s | peak MB |\n| --- | ---: | ---: | ---: | ---: |")
    sizes = {label: bytes_read for label, _, _, bytes_read, _ in others}
    for label, runs in results.items():
        wall = statistics.median(run[0] for run in runs)
        speed = sizes.get(label, size) / wall / 1e6
        print(f"| {label} | {spread([run[0] for run in runs])} | {spread([run[1] for run in runs])} "
              f"| {speed:,.0f} | {max(run[2] for run in runs):.0f} |")
    ours = results["provtrace, all cores"]
    ours_speed = size / statistics.median(run[0] for run in ours)
    print(f"one thread / all cores: {spread([a[0] / b[0] for a, b in zip(results['provtrace, one thread'], ours)])}")
    for label, _, _, bytes_read, slow in others:
        runs = results[label]
        if slow:
            theirs = bytes_read / statistics.median(run[0] for run in runs)
            print(f"provtrace is {ours_speed / theirs:.1f} times as fast by the byte as {label}")
        else:
            ratios = [a[0] / b[0] for a, b in zip(ours, runs)]
            print(f"provtrace / {label}: {spread(ratios)} times its wall time")


def linear(options):
    """Whether time is a straight line over size: the least of some rounds, and how far it is from the line
    through the smallest and the largest share."""
    sizes, runs = [], {}
    for gigabytes, devices in SIZES:
        share = options.folder / f"size-{gigabytes}"
        if not share.is_dir():
            options.folder.mkdir(parents=True, exist_ok=True)
            bulk = f"{round(gigabytes * 1000)}m"
            subprocess.run([options.fleet, share, "--devices", str(devices), "--seed", "11", "--bulk", bulk], check=True)
        size = 0
        for path in files(share):  # warm
            with open(path, "rb", buffering=0) as log:
                while block := log.read(1 << 20):
                    size += len(block)
        sizes.append((size, share))
    for _ in range(options.rounds):  # all sizes in turn, so that each one sees the same minutes of the machine
        for size, share in sizes:
            command = [str(options.binary), "analyze", str(share), "--format", "json", "--no-progress"]
            runs.setdefault(size, []).append(measure(command))
    found = [(size, min(run[0] for run in own), min(run[1] for run in own), max(run[2] for run in own))
             for size, own in runs.items()]
    print("\n## Size\n| MB | wall s | off the line | processor s | off the line | peak MB |\n" + "| ---: " * 6 + "|")
    for size, wall, processor, peak in found:
        off = []
        for column, value in ((1, wall), (2, processor)):
            slope = (found[-1][column] - found[0][column]) / (found[-1][0] - found[0][0])
            off.append(value / (found[0][column] + slope * (size - found[0][0])) - 1)
        print(f"| {size / 1e6:,.0f} | {wall:.3f} | {off[0]:+.0%} | {processor:.3f} | {off[1]:+.0%} | {peak:.0f} |")


def callgrind(options):
    if not shutil.which("valgrind"):
        print("\nleft out: instructions: valgrind is not installed")
        return
    counts = {}
    for bulk in ("4m", "24m"):
        share = options.folder / f"callgrind-{bulk}"
        if not share.is_dir():
            subprocess.run([options.fleet, share, "--devices", "2", "--seed", "5", "--bulk", bulk], check=True)
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(options.binary), "analyze",
                   str(share), "--format", "json", "--no-progress", "--threads", "1"]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True)
        paths = files(share)
        lines = sum(path.read_bytes().count(b"\n") for path in paths)
        counts[bulk] = (int(re.search(r"Collected : (\d+)", done.stderr)[1]), sum(p.stat().st_size for p in paths), lines)
    (a, a_bytes, a_lines), (b, b_bytes, b_lines) = counts.values()
    print(f"\n## Instructions\n{b / 1e6:,.0f} million for {b_bytes / 1e6:.1f} MB; of scan history "
          f"{(b - a) / (b_bytes - a_bytes):.2f} a byte, {(b - a) / (b_lines - a_lines):.0f} a line")


def main():
    options = arguments()
    for program in (options.binary, options.fleet):
        if not program.is_file():
            sys.exit(f"{program} is missing: cargo build --release --examples")
    for name in options.shares:
        compare(name, options)
    if options.linear:
        linear(options)
    if options.callgrind:
        callgrind(options)


main()
