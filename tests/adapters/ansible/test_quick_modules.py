"""Quick modules are the same modules: on this Python, on another, and as Ansible's own code packs them."""

import importlib.util
import io
import json
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.adapters.ansible import quick_modules
from orchestrator.adapters.ansible.warm import WarmStart
from tests.adapters.ansible.conftest import Steps
from tests.entrypoints.cli.conftest import eventually

ANOTHERS = b"\x01\x02\r\n"


def zipped(sources: dict[str, str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, source in sources.items():
            archive.writestr(name, source)
    return made.getvalue()


def members(packed: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def imported(packed: bytes, folder: Path) -> str:
    """The output of a Python that imports the package `told` from this zip."""
    archive = folder / "packed.zip"
    archive.write_bytes(packed)
    program = f"import sys; sys.path.insert(0, {str(archive)!r}); import told.deep as d; print(d.ANSWER, d.FROM)"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


SOURCES = {
    "told/__init__.py": "",
    "told/deep.py": "FROM = 'bytecode' if __spec__.origin.endswith('.pyc') else 'source'\nANSWER = 42\n",
    "told/data.txt": "not Python",
}


class TestBytecode:
    def test_is_beside_every_source_and_changes_nothing_else(self) -> None:
        plain, quick = members(zipped(SOURCES)), members(quick_modules.quickened(zipped(SOURCES)))
        assert {name: quick[name] for name in plain} == plain
        resident = {"orchestrator_resident.py", "orchestrator_resident.pyc"}
        assert quick.keys() - plain.keys() == {"told/__init__.pyc", "told/deep.pyc"} | resident

    def test_is_what_this_python_imports(self, tmp_path: Path) -> None:
        assert imported(zipped(SOURCES), tmp_path) == "42 source"
        assert imported(quick_modules.quickened(zipped(SOURCES)), tmp_path) == "42 bytecode"

    def test_of_another_python_is_ignored(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importlib.util, "MAGIC_NUMBER", ANOTHERS)
        sources = {name: f"{source}# of another\n" for name, source in SOURCES.items()}
        packed = quick_modules.quickened(zipped(sources))
        assert members(packed)["told/deep.pyc"].startswith(ANOTHERS)
        assert imported(packed, tmp_path) == "42 source"


WHENCE = """
import sys
from ansible.module_utils import basic
module = basic.AnsibleModule(argument_spec={})
kinds = [spec.origin.rpartition(".")[2] for spec in (__spec__, basic.__spec__)]
module.exit_json(answer=" ".join([*kinds, "at once" if "-c" in sys.orig_argv else "byte by byte"]))
"""


class TestAStep:
    """Its module runs in one go, and with bytecode from the second time on."""

    @pytest.mark.slow
    def test_is_the_same_with_and_without_quick_modules(self, make_steps: Callable[[str], Steps]) -> None:
        quick = make_steps("warm")
        (quick.playbooks / "library/answer.py").write_text(WHENCE)
        plain = Steps(quick.folder, WarmStart(quick.playbooks, quick=False))
        assert quick.warm
        assert plain.warm
        try:
            assert quick.told()["answer"] == "py py at once", "the first packs it"
            eventually(lambda: quick.told()["answer"] == "pyc pyc at once")
            assert [plain.told()["answer"] for _ in range(2)] == ["py py byte by byte"] * 2
            assert quick.run().tasks == plain.run().tasks
        finally:
            plain.warm.close()


class TestAssumptionsAboutAnsible:
    def test_a_packed_module_runs_with_bytecode_and_without(self, tmp_path: Path, short_folder: str) -> None:
        packed = tmp_path / "ansiballz_cache"
        packed.mkdir()
        script = subprocess.run(
            [sys.executable, "-c", PACK, str(tmp_path)], capture_output=True, check=True, cwd=tmp_path
        ).stdout
        [module] = (file for file in packed.iterdir() if file.suffix != ".lock")
        before = module.read_bytes()
        quick_modules.quicken(module)
        assert module.read_bytes() != before
        assert [file.name for file in packed.iterdir() if file.name.endswith("-part")] == []
        quick = subprocess.run(
            [sys.executable, "-c", PACK, str(tmp_path)], capture_output=True, check=True, cwd=tmp_path
        ).stdout
        assert len(quick) > len(script), "Ansible takes the module that we have changed"
        command = [sys.executable, *quick_modules.by_resident(short_folder)]
        for text, start in ((script, [sys.executable]), (script, command), (quick, [sys.executable]), (quick, command)):
            said = subprocess.run(start, input=text, capture_output=True, check=True).stdout
            assert json.loads(said)["ping"] == "a ' quoted \" answer"

    def test_only_python_on_standard_input_is_made_to_read_everything_at_once(self) -> None:
        from ansible.plugins.loader import shell_loader
        from ansible.plugins.shell import ShellBase

        shell = shell_loader.get("sh")
        plain = ShellBase.build_module_command

        def quick(env: str, shebang: str, cmd: str, arguments: str | None = None) -> str:
            return quick_modules.starting_quickly(plain)(shell, env, shebang, cmd, arguments)

        at_once = f"-c {shlex.quote(quick_modules.READ_AT_ONCE)}"
        assert quick("", "#!/usr/bin/python3", "") == f"/usr/bin/python3 {at_once}"
        assert quick("LANG=C", "#!/opt/python3.12", "") == f"LANG=C /opt/python3.12 {at_once}"
        for given in (("", "#!/usr/bin/python3", "/tmp/module"), ("", "#!/usr/bin/perl", ""), ("", "#!powershell", "")):
            assert quick(*given) == plain(shell, *given)
        assert quick("", "#!/usr/bin/python3", "", "/tmp/args") == plain(
            shell, "", "#!/usr/bin/python3", "", "/tmp/args"
        )

    @pytest.mark.parametrize(("transport", "asks"), [("ssh", True), ("local", False)])
    def test_only_hosts_reached_by_ssh_are_asked_for_a_resident(
        self, transport: str, asks: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from ansible.playbook.play_context import PlayContext
        from ansible.plugins.connection import ConnectionBase
        from ansible.plugins.loader import connection_loader
        from ansible.plugins.shell import ShellBase

        told = quick_modules.telling_transport(ConnectionBase.__init__)
        monkeypatch.setattr(ConnectionBase, "__init__", told)
        shell = connection_loader.get(transport, PlayContext())._shell
        build = quick_modules.starting_quickly(ShellBase.build_module_command)
        assert (quick_modules.residence() in build(shell, "", "#!/usr/bin/python3", "")) is asks


PACK = """
import sys
from ansible import constants
constants.DEFAULT_LOCAL_TMP = sys.argv[1]
from ansible.executor import module_common
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader, module_loader
from ansible.template import Templar
init_plugin_loader()
variables = {"ansible_python_interpreter": sys.executable}
built = module_common.modify_module(
    module_name="ping", module_path=module_loader.find_plugin("ping"), module_args={"data": "a ' quoted \\" answer"},
    templar=Templar(loader=DataLoader(), variables=variables), task_vars=variables,
)
sys.stdout.buffer.write(built.b_module_data)
"""
