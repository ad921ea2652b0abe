"""Modules that start sooner on their hosts: packed with bytecode, and read in one go.

Ansible sends a module as a script on standard input, with a zip of the sources that it imports inside. Python reads a
script from there byte by byte, a system call each, and compiles the sources anew for every task. Here every source in
the zip has its bytecode beside it, the module itself too, and Python's command line says to read what comes in one go.
A host whose Python is of another minor version passes over the bytecode, as importing does, and takes the source.

This knows three things of Ansible's inside, which tests hold: the file of a packed module (`_CachedModule`), that
its zip is imported in place, and that a module sent on standard input is started by the bare name of its interpreter.
"""

import base64
import importlib.util
import io
import marshal
import shlex
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path, PurePosixPath

READ_AT_ONCE = "import sys; exec(compile(sys.stdin.buffer.read(), '<stdin>', 'exec'))"
"""What Python is told to do on a host. The script stays on standard input: nothing of a task is on a command line."""

_UNCHECKED = (1).to_bytes(4, "little") + bytes(8)
"""Bytecode that is compared with no source (PEP 552): its source is in the same zip."""


def with_bytecode(packed: bytes) -> bytes:
    """A zip that has, beside each Python source of this one, its bytecode for our own Python."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            content = old.read(entry)
            new.writestr(entry, content)
            if entry.filename.endswith(".py"):
                beside = zipfile.ZipInfo(entry.filename + "c", entry.date_time)
                beside.compress_type = zipfile.ZIP_DEFLATED
                new.writestr(beside, _bytecode(entry.filename, content))
    return made.getvalue()


@cache
def _bytecode(name: str, source: bytes) -> bytes:
    """The content of a `.pyc`. Most modules have most of their sources in common."""
    code = compile(source, name, "exec", dont_inherit=True)
    return importlib.util.MAGIC_NUMBER + _UNCHECKED + marshal.dumps(code)


def add_bytecode(module: Path) -> None:
    """Put the bytecode into one of Ansible's packed modules. Whoever reads it meanwhile finds it with or without."""
    from ansible.executor.module_common import _CachedModule

    plain = _CachedModule.load(str(module))
    zipped = with_bytecode(base64.b64decode(plain.zip_data))
    with tempfile.TemporaryDirectory(dir=module.parent, suffix="-part") as folder:
        quick = Path(folder, module.name)
        replace(plain, zip_data=base64.b64encode(zipped)).dump(str(quick))
        quick.rename(module)


def read_modules_at_once() -> None:
    """From now on, modules that this process and its forks send on standard input are read in one go."""
    from ansible.plugins.shell import ShellBase

    ShellBase.build_module_command = reading_at_once(ShellBase.build_module_command)


Command = Callable[[object, str, str | None, str, str | None], str]


def reading_at_once(build: Command) -> Command:
    """Ansible's method that makes a module's command line, changed for Python that gets its script piped."""

    def build_module_command(
        shell: object, env_string: str, shebang: str | None, cmd: str, arg_path: str | None = None
    ) -> str:
        interpreter = (shebang or "").removeprefix("#!").strip()
        command = build(shell, env_string, shebang, cmd, arg_path)
        piped = not cmd and not arg_path and PurePosixPath(interpreter).name.startswith("python")
        return f"{command} -c {shlex.quote(READ_AT_ONCE)}" if piped else command

    return build_module_command
