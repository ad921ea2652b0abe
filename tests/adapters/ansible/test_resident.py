"""The Python that stays on a host runs tasks as a Python of their own would."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.adapters.ansible import quick_modules, resident
from tests.adapters.ansible.test_quick_modules import PACK
from tests.entrypoints.cli.conftest import eventually

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has a resident")

WHO = "import os; print(os.getppid())"
SURROUNDINGS = """
import json, os, sys
umask = os.umask(0o22)
print(json.dumps([os.getcwd(), umask, dict(os.environ), sys.argv, __name__, sys.path[0]]))
"""


class Host:
    """This machine, with a resident in a folder of its own."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.command = [sys.executable, *quick_modules.by_resident(folder)]

    def run(self, script: "str | bytes", **options: Any) -> "subprocess.CompletedProcess[bytes]":
        text = script.encode() if isinstance(script, str) else script
        return subprocess.run(self.command, input=text, capture_output=True, check=False, timeout=60, **options)

    def serves(self) -> int | None:
        """The resident, if it answers: it is the parent of what it runs."""
        parent = int(self.run(WHO).stdout)
        return parent if parent != os.getpid() else None


def packed(folder: Path) -> bytes:
    """The script of a module as a step sends it from the second time."""
    (folder / "ansiballz_cache").mkdir(parents=True)
    command = [sys.executable, "-c", PACK, str(folder)]
    subprocess.run(command, capture_output=True, check=True, cwd=folder)
    [module] = (file for file in (folder / "ansiballz_cache").iterdir() if file.suffix != ".lock")
    quick_modules.quicken(module)
    return subprocess.run(command, capture_output=True, check=True, cwd=folder).stdout


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return packed(tmp_path_factory.mktemp("packed"))


@pytest.fixture
def host(short_folder: str, module: bytes) -> Iterator[Host]:
    """A host whose resident a first task has started."""
    host = Host(short_folder)
    assert json.loads(host.run(module).stdout)["ping"] == "a ' quoted \" answer"
    eventually(lambda: Path(short_folder, "socket").exists())
    assert host.serves()
    yield host
    subprocess.run(["pkill", "-KILL", "-f", f"{short_folder}/modules.zip"], check=True)


def test_a_module_runs_without_the_resident_when_it_does_not_answer(host: Host, module: bytes) -> None:
    pid = host.serves()
    assert pid
    os.kill(pid, signal.SIGSTOP)
    started = time.monotonic()
    assert json.loads(host.run(module).stdout)["ping"] == "a ' quoted \" answer"
    assert time.monotonic() - started > resident.PATIENCE_SECONDS, "it asked the resident first"
    os.kill(pid, signal.SIGCONT)
    assert host.serves() == pid


def test_a_task_has_the_same_environment_with_and_without_the_resident(host: Host, tmp_path: Path) -> None:
    surroundings = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TASK": "ü=1\n"}
    options = {"cwd": tmp_path, "env": surroundings, "umask": 0o27}
    within = json.loads(host.run(SURROUNDINGS, **options).stdout)
    without = subprocess.run(
        [sys.executable, "-c", "import sys; exec(compile(sys.stdin.buffer.read(), '<stdin>', 'exec'))"],
        input=SURROUNDINGS.encode(), capture_output=True, check=True, **options,
    )  # fmt: skip
    caller = int(within[2].pop(resident.CALLER))
    assert within == json.loads(without.stdout)
    assert caller != os.getpid()


@pytest.mark.parametrize(
    ("script", "status", "error"),
    [
        ("print('x')", 0, ""),
        ("import sys; print('x'); sys.exit(3)", 3, ""),
        ("import sys; print('x'); sys.exit('no')", 1, "no\n"),
        ("import sys; print('x'); sys.exit()", 0, ""),
        ("import os, signal; print('x', flush=True); os.kill(os.getpid(), signal.SIGKILL)", 137, ""),
        ("import sys; print('x'); sys.stderr.write('y'); sys.exit(0)", 0, "y"),
        ("import atexit, sys; atexit.register(lambda: print('x')); sys.exit(0)", 0, ""),
        ("import threading, time; threading.Thread(target=lambda: (time.sleep(0.2), print('x'))).start()", 0, ""),
    ],
)
def test_a_tasks_exit_status_and_output_are_passed_on(host: Host, script: str, status: int, error: str) -> None:
    done = host.run(script)
    assert (done.returncode, done.stdout, done.stderr.decode()) == (status, b"x\n", error)


def test_a_task_learns_who_asked_for_it(host: Host) -> None:
    """What belongs to a connection is found among the ancestors of the process that came by it."""
    read = f"import os; stat = open('/proc/' + os.environ['{resident.CALLER}'] + '/stat').read()"
    who = f"{read}; print(stat.rpartition(')')[2].split()[1])"
    assert int(host.run(who).stdout) == os.getpid()


def test_an_exception_is_shown(host: Host) -> None:
    done = host.run("raise ValueError('seven')")
    assert done.returncode == 1
    assert done.stderr.decode().rstrip().endswith("ValueError: seven")


def test_a_task_leaves_nothing_behind_for_the_next(host: Host) -> None:
    host.run("import builtins, os, sys; builtins.SEEN = os.environ['X'] = 'secret'; sys.modules['json'] = None")
    done = host.run("import builtins, json, os; print(hasattr(builtins, 'SEEN'), 'X' in os.environ)")
    assert done.stdout == b"False False\n"


def test_tasks_run_side_by_side(host: Host, tmp_path: Path) -> None:
    """Each waits for the other."""
    for name in ("one", "two"):
        os.mkfifo(tmp_path / name)
    one = f"open({str(tmp_path / 'one')!r}, 'w').write('x'); print(open({str(tmp_path / 'two')!r}).read())"
    two = f"print(open({str(tmp_path / 'one')!r}).read()); open({str(tmp_path / 'two')!r}, 'w').write('y')"
    started = []
    for script in (one, two):
        process = subprocess.Popen(host.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin
        process.stdin.write(script.encode())
        process.stdin.close()
        started.append(process)
    assert [process.stdout and process.stdout.read() for process in started] == [b"y\n", b"x\n"]
    assert [process.wait(timeout=30) for process in started] == [0, 0]


def test_without_a_resident_the_task_still_runs(host: Host, module: bytes) -> None:
    pid = host.serves()
    assert pid
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not Path(f"/proc/{pid}").exists())
    assert host.serves() is None
    assert json.loads(host.run(module).stdout)["ping"] == "a ' quoted \" answer"
    eventually(host.serves)


def test_only_root_can_use_the_resident(host: Host) -> None:
    ask = f"import os, socket; os.setuid(65534); socket.socket(socket.AF_UNIX).connect('{host.folder}/socket')"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=False)
    assert "PermissionError" in done.stderr


def test_only_one_resident_starts(short_folder: str, module: bytes) -> None:
    host = Host(short_folder)
    started = [subprocess.Popen(host.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(4)]
    for process in started:
        assert json.loads(process.communicate(module)[0])["ping"]
    eventually(host.serves)
    residents = subprocess.run(
        ["pgrep", "-f", f"{short_folder}/modules.zip"], capture_output=True, text=True, check=True
    )
    assert len(residents.stdout.split()) == 1
    os.kill(int(residents.stdout), signal.SIGKILL)


def test_the_resident_ends_when_nobody_uses_it(
    short_folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "resident.py").write_text(
        Path(resident.__file__).read_text().replace("IDLE_SECONDS = 60", "IDLE_SECONDS = 0.5")
    )
    monkeypatch.setattr(resident, "__file__", str(tmp_path / "resident.py"))
    Host(short_folder).run(packed(tmp_path / "impatient"))
    assert Path(short_folder, "modules.zip").exists(), "one has started"
    with Path(short_folder, "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # which a resident holds until it ends
    assert not Path(short_folder, "socket").exists()


def test_the_resident_keeps_nothing_of_the_task_that_started_it(short_folder: str, module: bytes) -> None:
    host = Host(short_folder)
    host.run(module, env={**os.environ, "TASK": "secret"})
    eventually(host.serves)
    process = Path("/proc", str(host.serves()))
    assert b"TASK" not in (process / "environ").read_bytes()
    assert [str((process / "fd" / str(n)).readlink()) for n in range(3)] == [os.devnull] * 3
    assert str((process / "cwd").readlink()) == "/"
    os.kill(int(process.name), signal.SIGKILL)
