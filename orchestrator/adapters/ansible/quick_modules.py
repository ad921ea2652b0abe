"""Modules that start faster on their hosts: packed with bytecode, read in one go, and run by a Python that stays there.

Ansible sends a module as a script on standard input that contains a zip of the sources it imports. Python reads such a
script byte by byte, with a system call each, and compiles the sources again for every task. Here every source in the
zip, the module itself included, has its bytecode beside it, and Python's command line reads the script in one go. A
host with another minor version of Python ignores the bytecode, as imports do, and uses the source.

The zip also holds `resident`. The first task that root runs on a host starts it; the command of later ones hands its
streams over, and the resident runs them in a fork of itself that has imported already what most modules import.

This relies on internals of Ansible, which tests check: the file of a packed module (`_CachedModule`), that its zip is
imported in place, that the script says `zip_data='...'`, that a connection has its shell as `_shell`, and that a module
on standard input is started by the bare name of its interpreter.
"""

import base64
import hashlib
import importlib.util
import io
import marshal
import shlex
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

from orchestrator.adapters.ansible import resident

READ_AT_ONCE = "import sys; exec(compile(sys.stdin.buffer.read(), '<stdin>', 'exec'))"
"""The command for Python on a host. The script stays on standard input: nothing of a task is on a command line."""

RESIDENT = "orchestrator_resident.py"


@cache
def residence() -> str:
    """The folder of a host's resident. Tasks of another version of Ansible, or of ours, have another."""
    known = f"{version('ansible-core')}\n{Path(resident.__file__).read_text()}"
    return f"/run/orchestrator-python-{hashlib.sha256(known.encode()).hexdigest()[:12]}"


_HERE = """\
import sys
script = sys.stdin.buffer.read()
def stay():
    import base64, io, re, zipfile
    packed = base64.b64decode(re.search(rb"zip_data='([A-Za-z0-9+/=]+)'", script)[1])
    names = {}
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        exec(archive.read(%(resident)r), names)
    names["start"](%(folder)r, packed)
try:
    stay()
except Exception:
    pass
exec(compile(script, "<stdin>", "exec"))
"""
"""Start a resident for later tasks, if this one's zip has it, and run the task here."""

_COMMAND = """\
import posix, sys, _socket as s
answer = b""
try:
    c = s.socket(s.AF_UNIX, s.SOCK_SEQPACKET)
    c.settimeout(5)
    c.connect(%(folder)r + "/socket")
    c.recv(1)  # from then on it has our streams, and we wait for it
    c.settimeout(None)
    umask = posix.umask(0)
    posix.umask(umask)
    told = [posix.getcwdb(), b"%%d" %% umask, *(name + b"=" + value for name, value in posix.environ.items())]
    streams = b"".join(n.to_bytes(4, sys.byteorder) for n in range(3))
    c.sendmsg([b"\\0".join(told)], [(s.SOL_SOCKET, s.SCM_RIGHTS, streams)])
    answer = c.recv(1)
except OSError:
    pass
if answer:
    ended = c.recv(1)
    posix._exit(ended[0] if ended else 1)
posix.execv(sys.executable, [sys.executable, "-c", %(here)r])
"""


def by_resident(folder: str) -> list[str]:
    """What follows the interpreter's name on a host that may have a resident in this folder.

    The interpreter starts with as little as asking needs, which is built in.
    """
    here = _HERE % {"resident": RESIDENT, "folder": folder}
    return ["-IS", "-c", _COMMAND % {"folder": folder, "here": here}]


_UNCHECKED = (1).to_bytes(4, "little") + bytes(8)
"""The header of bytecode that is not checked against its source (PEP 552): its source is in the same zip."""


def quickened(packed: bytes) -> bytes:
    """The zip, with the resident, and with bytecode for our own Python beside each source."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        entries = {entry: old.read(entry) for entry in old.infolist()}
        entries[zipfile.ZipInfo(RESIDENT)] = Path(resident.__file__).read_bytes()
        for entry, content in entries.items():
            new.writestr(entry, content)
            if entry.filename.endswith(".py"):
                beside = zipfile.ZipInfo(entry.filename + "c", entry.date_time)
                beside.compress_type = zipfile.ZIP_DEFLATED
                new.writestr(beside, _bytecode(entry.filename, content))
    return made.getvalue()


@cache
def _bytecode(name: str, source: bytes) -> bytes:
    """The content of a `.pyc`. Cached, because modules share most of their sources."""
    code = compile(source, name, "exec", dont_inherit=True)
    return importlib.util.MAGIC_NUMBER + _UNCHECKED + marshal.dumps(code)


def quicken(module: Path) -> None:
    """Add bytecode and the resident to one of Ansible's packed modules. Who reads it meanwhile sees either."""
    from ansible.executor.module_common import _CachedModule

    plain = _CachedModule.load(str(module))
    zipped = quickened(base64.b64decode(plain.zip_data))
    with tempfile.TemporaryDirectory(dir=module.parent, suffix="-part") as folder:
        quick = Path(folder, module.name)
        replace(plain, zip_data=base64.b64encode(zipped)).dump(str(quick))
        quick.rename(module)


def start_modules_quickly() -> None:
    """From now on, modules of this process and its forks are read in one go, and run by residents of other machines.

    On our own machine the guard ends everything that a step has started; a resident's forks are not its descendants.
    """
    from ansible.plugins.connection import ConnectionBase
    from ansible.plugins.shell import ShellBase

    ConnectionBase.__init__ = telling_transport(ConnectionBase.__init__)
    ShellBase.build_module_command = starting_quickly(ShellBase.build_module_command)


TRANSPORT = "orchestrator_transport"
"""The attribute by which a shell knows what its connection is."""


def telling_transport(begin: Callable[..., None]) -> Callable[..., None]:
    """Wrap the constructor of Ansible's connections, so that their shells know what they are."""

    def begin_and_tell(connection: Any, *arguments: Any, **options: Any) -> None:
        begin(connection, *arguments, **options)
        setattr(connection._shell, TRANSPORT, connection.transport)

    return begin_and_tell


Command = Callable[[object, str, str | None, str, str | None], str]


def starting_quickly(build: Command) -> Command:
    """Wrap Ansible's method that builds a module's command line, for Python with its script on standard input."""

    def build_module_command(
        shell: object, env_string: str, shebang: str | None, cmd: str, arg_path: str | None = None
    ) -> str:
        interpreter = (shebang or "").removeprefix("#!").strip()
        command = build(shell, env_string, shebang, cmd, arg_path)
        if cmd or arg_path or not PurePosixPath(interpreter).name.startswith("python"):
            return command
        words = by_resident(residence()) if getattr(shell, TRANSPORT, None) == "ssh" else ["-c", READ_AT_ONCE]
        return f"{command} {shlex.join(words)}"

    return build_module_command
