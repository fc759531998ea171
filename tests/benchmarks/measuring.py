"""What the parts of the benchmark share: how work is measured, and how it is told."""

import datetime
import math
import os
import platform
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb

ROOT = Path(__file__).parents[2]

MEMORY_LIMIT = "5GB"
THREADS = 2


def median_of_three(query: str, memory_limit: str = MEMORY_LIMIT) -> dict:
    """Measure a query three times, each in a process of its own."""
    told(" ".join(query.split())[:70])
    code = (
        "import duckdb\n"
        "connection = duckdb.connect()\n"
        f"connection.execute('set threads = {THREADS}')\n"
        f"connection.execute(\"set memory_limit = '{memory_limit}'\")\n"
        "connection.execute('set enable_progress_bar = false')\n"
        f"connection.execute({query!r}).fetchall()"
    )
    return sorted((measured(code) for _ in range(3)), key=lambda one: one["seconds"])[1]


def measured(code: str) -> dict:
    """Run Python code in a process of its own; seconds are those of its last line."""
    before, _, last = code.rpartition("\n")
    timed = f"{before}\nimport time\nstart = time.perf_counter()\n{last}\n"
    timed += "print(time.perf_counter() - start)"
    ended = watched([sys.executable, "-c", timed])
    if ended.exit_code:
        sys.exit(f"the measured code failed:\n{code}\n{ended.output}")
    seconds = float(ended.output.split()[-1])
    return {**ended.figures, "seconds": seconds, "output": ended.output}


def make_company(folder: Path, customers: int, months: int) -> dict:
    """Generate a demo company in a process of its own."""
    return measured(
        "from pathlib import Path\n"
        "from perennial.company import generate\n"
        f"generate(Path({str(folder)!r}), {customers}, {months}, 7, "
        f"threads={THREADS})"
    )


def company(folder: Path, name: str) -> Path:
    """Find the demo company that was made before, or make it."""
    made = folder / f"company-{name}"
    if not (made / "company.json").exists():
        from perennial.company import SIZES

        told(f"generating {name}")
        make_company(made, SIZES[name].customers, SIZES[name].months)
    return made


@dataclass(frozen=True)
class Ended:
    """A process that ended: what it said, and what it took."""

    exit_code: int
    output: str
    figures: dict
    stopped_for: str = ""


def watched(
    command: list[str],
    environment: dict[str, str] | None = None,
    most_seconds: float = math.inf,
    most_memory_mb: float = math.inf,
) -> Ended:
    """Run a command, and stop it where it takes more than it may."""
    start = time.perf_counter()
    highest = 0.0
    stopped_for = ""
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=said, stderr=subprocess.STDOUT
        )
        while True:
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            seconds = time.perf_counter() - start
            if ended:
                break
            highest = max(highest, peak_memory_mb(process.pid))
            if seconds > most_seconds:
                stopped_for = f"more than {most_seconds:,.0f} s"
            elif highest > most_memory_mb:
                stopped_for = f"more than {most_memory_mb:,.0f} MB"
            if stopped_for:
                # kill() of the process would take its end away from here
                os.kill(process.pid, signal.SIGKILL)
            time.sleep(0.02)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        output = said.read()
    figures = {
        "seconds": seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "memory_mb": highest or usage.ru_maxrss / 1024,
    }
    return Ended(process.returncode, output, figures, stopped_for)


def installed(environment: Path, *packages: str) -> str:
    """Let pip fill an environment of its own; what went wrong, or nothing."""
    done = environment / "installed"
    if done.exists():
        return ""
    told(f"installing {', '.join(packages)}")
    shutil.rmtree(environment, ignore_errors=True)
    for command in (
        [sys.executable, "-m", "venv", str(environment)],
        [environment / "bin" / "pip", "install", "-q", *packages],
    ):
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode:
            return last_line(ended.stderr) or f"{command[1]} failed"
    done.touch()
    return ""


def last_line(text: str) -> str:
    """What an error says at its end, as one cell of a table."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip().replace("|", "/")[:120] if lines else ""


def peak_memory_mb(process_id: int) -> float:
    """Most memory that a process has held; 0 where the system does not say.

    What wait4 tells of it counts what the process that started it held.
    """
    try:
        status = Path(f"/proc/{process_id}/status").read_text()
    except OSError:
        return 0
    told_of = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(told_of[1]) / 1024 if told_of else 0


def use_two_cores() -> None:
    """Keep to two cores, so that the engine takes two threads by itself."""
    if hasattr(os, "sched_setaffinity"):  # Linux alone
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])


def cpu_seconds(before: resource.struct_rusage, after: resource.struct_rusage) -> float:
    """Processor seconds of the processes that ended between two looks."""
    user = after.ru_utime - before.ru_utime
    return user + after.ru_stime - before.ru_stime


def size(file: Path) -> str:
    """Size of a file for people."""
    return f"{file.stat().st_size / 1e6:,.0f} MB"


def told(step: str) -> None:
    """Say what is done now."""
    print(step, flush=True)


def write_part(part: str, told_of: str, table: list[str]) -> None:
    """Put a table between its marks on the page, with the machine that it is of."""
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    page = ROOT / "docs" / "performance.md"
    head, _, rest = page.read_text().partition(begin)
    _, _, tail = rest.partition(end)
    cores = os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    lines = [
        begin,
        f"{told_of}; {cores} cores of {processor()}, {memory:.0f} GiB, "
        f"Python {platform.python_version()}, DuckDB {duckdb.__version__} with "
        f"{THREADS} threads; "
        f"{datetime.date.today():%Y-%m-%d}.",
        "",
        *table,
        end,
    ]
    page.write_text(head + "\n".join(lines) + tail)
    print("\n".join(lines[1:-1]))


def processor() -> str:
    """Name of the processor, as the machine gives it."""
    file = Path("/proc/cpuinfo")
    names = file.read_text().split("model name") if file.exists() else []
    return (
        names[1].split(":")[1].splitlines()[0].strip()
        if len(names) > 1
        else (platform.processor() or platform.machine())
    )
