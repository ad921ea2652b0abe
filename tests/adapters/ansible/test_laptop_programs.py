"""The papers of laptops, their agent and their register: real programs on this machine, behind a real nginx."""

import base64
import importlib.util
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path
from types import ModuleType
from typing import Any

import jinja2
import pytest

from orchestrator.domain.text_types import TLS_KEY
from tests.adapters.ansible.hostile import hostile
from tests.adapters.ansible.test_directory_modules import asked
from tests.adapters.probes.servers import free_port, listens, program, running
from tests.conftest import ROOT

ROLE = ROOT / "playbooks/roles/laptop"
VALID = {"begins": "2026-05-01T00:00:00+00:00", "ends": "2046-05-01T00:00:00+00:00"}
LATER = {"begins": "2026-10-30T00:00:00+00:00", "ends": "2046-10-30T00:00:00+00:00"}
SECRET = base64.b64encode(b"x" * 32).decode()
POLICY = {"disk_encryption": True, "update_days": 14, "lock_minutes": 15}
PROFILE = {"endpoint": "192.0.2.1:54001", "dns": "10.64.1.1", "domain": "alpha.example", "policy": POLICY}
GOOD = {"encrypted": True, "updated_ago": 60, "lock_minutes": 5, "system": "Debian"}


def loaded(name: str) -> ModuleType:
    """A program of the role's, as a module."""
    spec = importlib.util.spec_from_file_location(name, ROLE / "files" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


AGENT = loaded("agent")


def laptop(folder: Path, name: str, number: int) -> dict[str, Any]:
    """A laptop that has made its keys, as the call-off lists it."""
    folder.mkdir(exist_ok=True)
    (folder / "wireguard.key").write_text(f"{base64.b64encode(os.urandom(32)).decode()}\n")
    group = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    subprocess.run(["openssl", "genpkey", *group, "-out", folder / "tls.key"], check=True, capture_output=True)
    public = subprocess.run(
        ["openssl", "pkey", "-in", folder / "tls.key", "-pubout", "-outform", "DER"], check=True, capture_output=True
    )
    keys = {"tls_key": base64.b64encode(public.stdout).decode(), "wireguard_key": f"{number:043}="}
    return {"name": name, "address": f"10.64.1.{128 + number}", **keys}


def papers(*devices: dict[str, Any], register: str = "", **more: Any) -> dict[str, Any]:
    facts = {"agency": "alpha", "domain": "alpha.example", "host": "devices1", "address": "127.0.0.1", "valid": VALID}
    secrets = {"key": SECRET, "vpn_private_key": SECRET}
    order = {"devices": list(devices), "register": register, "profile": PROFILE}
    told = asked("device_papers", **{**order, **facts, **secrets, **more})
    told.pop("invocation")
    return told


def entries(told: dict[str, Any]) -> dict[str, list[bool]]:
    """Whether each certificate of a laptop is revoked, by the name of the laptop."""
    found: dict[str, list[bool]] = {}
    for one in json.loads(told["register"])["certificates"]:
        found.setdefault(one["device"], []).append(one["revoked"] is not None)
    return found


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    top = tmp_path_factory.mktemp("laptops")
    return [laptop(top / f"lap{n}", f"lap{n}", n) for n in (1, 2)]


class TestPapers:
    def test_the_same_order_gives_the_same_papers(self, two: list[dict[str, Any]]) -> None:
        once = papers(*two)
        assert entries(once) == {"lap1": [False], "lap2": [False]}
        assert papers(*two, register=once["register"]) == once

    def test_who_leaves_is_revoked_and_stays_so(self, two: list[dict[str, Any]]) -> None:
        before = papers(*two)
        after = papers(two[1], register=before["register"])
        assert entries(after) == {"lap1": [True], "lap2": [False]}
        assert after["revocations"] != before["revocations"]
        assert "lap1" not in json.loads(after["answers"])
        assert papers(two[1], register=after["register"]) == after
        wrong = papers(*two, register=after["register"])["msg"]
        assert "lap1 has keys of lap1 that were revoked on " in wrong
        assert papers(*two, register=after["register"], key=None)["problems"] == [wrong]

    def test_a_laptop_of_the_same_name_with_other_keys_replaces_the_first(
        self, two: list[dict[str, Any]], tmp_path: Path
    ) -> None:
        before = papers(*two)
        other = laptop(tmp_path / "other", "lap1", 3)
        after = papers(other, two[1], register=before["register"])
        assert sorted(entries(after)["lap1"]) == [False, True]
        assert len(json.loads(after["answers"])["lap1"]["serials"]) == 1

    def test_certificates_of_the_last_period_are_good_until_they_end(self, two: list[dict[str, Any]]) -> None:
        before = papers(*two)
        after = papers(*two, register=before["register"], valid=LATER)
        assert entries(after) == {"lap1": [False, False], "lap2": [False, False]}
        assert len(json.loads(after["answers"])["lap1"]["serials"]) == 2

    def test_what_either_of_two_registers_has_revoked_is_revoked(self, two: list[dict[str, Any]]) -> None:
        old = papers(*two)
        new = papers(two[1], register=old["register"])
        for pair in ((old, new), (new, old)):
            told = papers(two[1], register=pair[0]["register"], besides=pair[1]["register"])
            assert told["register"] == new["register"]
        assert papers(two[1], register=new["register"], besides="{damaged")["register"] == new["register"]

    @pytest.mark.parametrize("damaged", ["{", "[]", '{"certificates": [{"serial": "0A"}]}', '{"certificates": 3}'])
    def test_a_damaged_register_is_not_taken_for_an_empty_one(self, two: list[dict[str, Any]], damaged: str) -> None:
        assert "the register of laptops is damaged" in papers(*two, register=damaged)["msg"]

    def test_a_key_that_is_no_point_of_its_group_is_refused(self, two: list[dict[str, Any]]) -> None:
        broken = {**two[0], "tls_key": two[0]["tls_key"][:36] + "A" * 86 + "=="}
        assert papers(broken, key=None)["problems"] == ["the tls_key of lap1 is not a public key of P-256"]

    def test_a_key_that_openssl_makes_fits_its_kind_of_text(self, two: list[dict[str, Any]]) -> None:
        import re

        assert all(re.match(TLS_KEY.pattern, one["tls_key"]) for one in two)


@dataclass(frozen=True)
class Register:
    """A register and its door, with the laptops lap1 and lap2, of which lap0 was revoked."""

    folder: Path
    port: int
    told: dict[str, Any]
    laptops: list[dict[str, Any]]

    def ask(
        self, method: str, path: str, body: Any = None, *, who: str = "", raw: bytes | None = None
    ) -> tuple[int, Any]:
        """Ask as one of the specimens, or as a laptop that has enrolled."""
        context = ssl.create_default_context(cadata=self.told["authority"])
        if who in self.told["specimens"]:
            identity = self.told["specimens"][who]
            (self.folder / "identity.pem").write_text(identity["private_key"] + identity["certificate"])
            context.load_cert_chain(self.folder / "identity.pem")
        elif who:
            context.load_cert_chain(self.folder / who / "certificate.pem", self.folder / who / "tls.key")
        connection = HTTPSConnection("127.0.0.1", self.port, timeout=20, context=context)
        connection.request(method, path, raw if raw is not None else json.dumps(body))
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text) if answer.status == 200 else None

    def agent(self, name: str, *words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, ROLE / "files/agent.py", *words, "--folder", self.folder / name, "--files-only"]
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)

    def enrol(self, name: str, key_of: str = "") -> "subprocess.CompletedProcess[str]":
        (self.folder / "authority.pem").write_text(self.told["authority"])
        place = f"127.0.0.1:{self.port}"
        return self.agent(key_of or name, "enrol", name, place, str(self.folder / "authority.pem"))

    def kept(self, name: str) -> list[dict[str, Any]]:
        file = self.folder / "store" / f"{name}.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture(scope="module")
def register() -> Iterator[Register]:
    with tempfile.TemporaryDirectory(prefix="l") as place:
        folder, port = Path(place), free_port()
        three = [laptop(folder / f"lap{n}", f"lap{n}", n + 1) for n in range(3)]
        told = papers(*three[1:], register=papers(*three)["register"])
        for name in ("authority", "revocations"):
            (folder / f"{name}.pem").write_text(told[name])
        (folder / "server.pem").write_text(told["server"]["certificate"])
        (folder / "key").write_text(told["server"]["private_key"])
        (folder / "answers.json").write_text(told["answers"])
        (folder / "listen.conf").write_text(f"listen 127.0.0.1:{port} ssl;\n")
        (folder / "store").mkdir()
        template = (ROLE / "templates/nginx.conf.j2").read_text()
        names = {"__laptop_folder": folder, "__laptop_id": "alpha", "__laptop_units": ["", "unit"]}
        text = jinja2.Environment(autoescape=False).from_string(template).render(**names, ansible_managed="")
        text = text.replace("/run/credentials/unit/key", f"{folder}/key").replace(
            "/run/agency-devices-door/alpha", place
        )
        text = text.replace("/run/agency-devices/alpha/socket", f"{folder}/socket")
        (folder / "nginx.conf").write_text("user root;\n" + text)
        program_file = ROLE / "files/register.py"
        behind = (sys.executable, program_file, folder, folder / "store", folder / "socket")
        door = (program("nginx"), "-e", "stderr", "-c", folder / "nginx.conf")
        with (
            running(*behind, ready=(folder / "socket").exists),
            running(*door, ready=lambda: listens(port)),
        ):
            yield Register(folder, port, told, three)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="nginx runs as root here")
class TestRegister:
    def test_a_laptop_enrols_with_its_key_and_reports_with_its_certificate(self, register: Register) -> None:
        assert register.enrol("lap1").returncode == 0
        profile = (register.folder / "lap1/laptop.conf").read_text()
        assert "Address = 10.64.1.130/32\n" in profile
        assert f"private-key {register.folder}/lap1/wireguard.key\n" in profile
        assert "Endpoint = 192.0.2.1:54001\n" in profile
        assert (register.folder / "lap1/laptop.conf").stat().st_mode & 0o777 == 0o600
        status, answer = register.ask("POST", "/report", GOOD, who="lap1")
        assert (status, answer["policy"]) == (200, POLICY)
        [kept] = register.kept("lap1")
        assert {**GOOD, "note": ""}.items() <= kept.items()
        assert register.ask("GET", "/reports", who="lap1") == (200, {"reports": [kept]})

    @pytest.mark.parametrize("period", [None, LATER])
    def test_the_agent_reports_what_it_finds_and_enrols_again_without_a_good_certificate(
        self, register: Register, period: Any
    ) -> None:
        """It has one for another key, or one from a period of which the register knows nothing."""
        assert register.enrol("lap2").returncode == 0
        certificate = register.told["specimens"]["stranger"]["certificate"]
        if period:
            certificate = json.loads(papers(register.laptops[2], valid=LATER)["answers"])["lap2"]["answer"][
                "certificate"
            ]
        (register.folder / "lap2/certificate.pem").write_text(certificate)
        (register.folder / "lap2/policy.json").write_text(json.dumps({**POLICY, "lock_minutes": 1}))
        said = register.agent("lap2", "report", "--system", str(system(register.folder / "system")))
        assert (said.returncode, said.stdout) == (0, "this laptop keeps to the policy\n"), said.stderr
        assert json.loads((register.folder / "lap2/policy.json").read_text()) == POLICY
        assert register.kept("lap2")[-1]["lock_minutes"] == 10

    @pytest.mark.parametrize(
        ("name", "key_of"), [("lap1", "lap2"), ("lap0", "lap0"), ("0-verify", "lap1"), ("x", "lap1")]
    )
    def test_nobody_enrols_with_another_key_or_without_being_listed(
        self, register: Register, name: str, key_of: str
    ) -> None:
        before = (register.folder / key_of / "certificate.pem").exists()
        assert "answers 403 to /enrol" in register.enrol(name, key_of).stderr
        assert (register.folder / key_of / "certificate.pem").exists() == before

    def test_an_old_signature_is_refused(self, register: Register) -> None:
        at = int(time.time()) - 100_000
        signed = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", register.folder / "lap1/tls.key"],
            input=f"enrol lap1 {at}\n".encode(), capture_output=True, check=True,
        )  # fmt: skip
        document = {"device": "lap1", "at": at, "signature": base64.b64encode(signed.stdout).decode()}
        assert register.ask("POST", "/enrol", document)[0] == 403

    @pytest.mark.parametrize(("who", "status"), [("own", 200), ("", 403), ("revoked", 400), ("stranger", 400)])
    def test_only_certificates_that_are_not_revoked_are_let_in(self, register: Register, who: str, status: int) -> None:
        assert register.ask("POST", "/report", GOOD, who=who)[0] == status

    def test_who_was_revoked_is_refused_with_the_certificate_they_had(self, register: Register) -> None:
        answer = json.loads(papers(register.laptops[0])["answers"])["lap0"]["answer"]
        (register.folder / "lap0/certificate.pem").write_text(answer["certificate"])
        assert register.ask("POST", "/report", GOOD, who="lap0")[0] == 400
        (register.folder / "lap0/certificate.pem").unlink()

    def test_a_certificate_of_the_authority_alone_opens_nothing(self, register: Register) -> None:
        told = papers(laptop(register.folder / "lap9", "lap9", 9))
        answer = json.loads(told["answers"])["lap9"]["answer"]
        (register.folder / "lap9/certificate.pem").write_text(answer["certificate"])
        assert register.ask("POST", "/report", GOOD, who="lap9")[0] == 403, "nobody lists it"

    def test_headers_of_the_doors_own_are_not_believed(self, register: Register) -> None:
        serial = json.loads(register.told["answers"])["lap1"]["serials"][0]
        context = ssl.create_default_context(cadata=register.told["authority"])
        for path in ("/report", "/enrol", "//report", "/x/../report"):
            connection = HTTPSConnection("127.0.0.1", register.port, timeout=20, context=context)
            headers = {"X-Client-Verify": "SUCCESS", "X-Client-Serial": serial}
            connection.request("POST", path, json.dumps(GOOD), headers)
            assert connection.getresponse().status in {403, 404}, path
            connection.close()

    @pytest.mark.parametrize(
        "body",
        [
            b"", b"{", b"null", b"[]", b"[" * 4000, b'"' + b"x" * 3000 + b'"', b"{}", b"\xff\xfe",
            *(json.dumps({**GOOD, **wrong}).encode() for wrong in (
                {"encrypted": 1}, {"encrypted": "yes"}, {"updated_ago": -1}, {"updated_ago": True},
                {"updated_ago": 1e400}, {"lock_minutes": 10**6}, {"system": "x" * 101}, {"system": "a\nb"},
                {"note": "\x1b[2J"}, {"note": "x" * 201}, {"note": None}, {"other": 1}, {"system": ["x"]},
            )),
        ],
    )  # fmt: skip
    def test_what_is_no_report_is_not_kept(self, register: Register, body: bytes) -> None:
        before = register.kept("0-verify")
        assert register.ask("POST", "/report", raw=body, who="own")[0] == 400
        assert register.kept("0-verify") == before

    def test_a_long_report_is_refused_by_the_door(self, register: Register) -> None:
        assert register.ask("POST", "/report", raw=b"x" * 5000, who="own")[0] == 413

    def test_hostile_text_stays_text(self, register: Register, tmp_path: Path) -> None:
        texts = [text for text in hostile(tmp_path / "proof") if text.isprintable() and len(text) <= 100]
        for text in texts:
            assert register.ask("POST", "/report", {**GOOD, "system": text}, who="own")[0] == 200
            assert register.kept("0-verify")[-1]["system"] == text
        assert len(texts) > 5
        assert not (tmp_path / "proof").exists()

    def test_what_asks_too_often_is_told_to_wait(self, register: Register) -> None:
        context = ssl.create_default_context(cadata=register.told["authority"])
        connection = HTTPSConnection("127.0.0.1", register.port, timeout=20, context=context)
        seen = set()
        for _ in range(400):
            connection.request("POST", "/enrol", b"{}")
            answer = connection.getresponse()
            answer.read()
            seen.add(answer.status)
        connection.close()
        assert seen == {403, 429}


class TestReports:
    def test_only_the_newest_are_kept(self, tmp_path: Path) -> None:
        module = loaded("register")
        module.KEPT = 3
        reports = module.Reports(tmp_path)
        for count in range(20):
            reports.add("lap1", {"n": count})
            lines = [json.loads(line)["n"] for line in reports.of("lap1")]
            assert lines[-3:] == list(range(max(0, count - 2), count + 1))
            assert len(lines) <= 6
        assert len(module.Reports(tmp_path).of("lap1")) <= 6, "after a restart too"

    def test_a_line_that_was_not_written_to_its_end_is_left_out(self, tmp_path: Path) -> None:
        reports = loaded("register").Reports(tmp_path)
        reports.add("lap1", {"n": 1})
        with (tmp_path / "lap1.jsonl").open("a") as stream:
            stream.write('{"n": 2')
        assert len(reports.of("lap1")) == 1


def system(
    root: Path, *, mounts: str = "/dev/mapper/root / rw", swaps: str = "", crypt: tuple[str, ...] = ("dm-0",)
) -> Path:
    """The root of a laptop's system, as far as the agent looks at it."""
    for folder in ("proc/self", "etc/systemd/logind.conf.d", "var/lib/apt/periodic", "dev/mapper", "sys/class/block"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    lines = [f"1 0 8:1 / {place} {how} - ext4 {source} rw" for source, place, how in map(str.split, mounts.split(";"))]
    (root / "proc/self/mountinfo").write_text("\n".join(lines) + "\n")
    (root / "proc/swaps").write_text("Filename Type Size Used Priority\n" + swaps)
    (root / "etc/os-release").write_text('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
    (root / "etc/systemd/logind.conf.d/lock.conf").write_text("[Login]\nIdleAction=lock\nIdleActionSec=10min\n")
    (root / "var/lib/apt/periodic/upgrade-stamp").touch()
    if not (root / "dev/mapper/root").is_symlink():
        (root / "dev/mapper/root").symlink_to("../dm-1")
    blocks = root / "sys/class/block"
    for name, below in (("dm-0", ["sda2"]), ("dm-1", ["dm-0"]), ("sda1", []), ("sda2", [])):
        (blocks / name / "slaves").mkdir(parents=True, exist_ok=True)
        for part in below:
            if not (blocks / name / "slaves" / part).is_symlink():
                (blocks / name / "slaves" / part).symlink_to(f"../../{part}")
        if name.startswith("dm"):
            (blocks / name / "dm").mkdir(exist_ok=True)
            (blocks / name / "dm/uuid").write_text(f"{'CRYPT-LUKS2' if name in crypt else 'LVM'}-x\n")
    return root


class TestWhatALaptopIsLike:
    def test_a_volume_on_an_encrypted_disk_is_encrypted(self, tmp_path: Path) -> None:
        found = AGENT.facts_of(system(tmp_path))
        assert found["encrypted"]
        assert found["updated_ago"] < 100
        assert (found["lock_minutes"], found["system"]) == (10, "Debian GNU/Linux 12 (bookworm)")

    @pytest.mark.parametrize(
        ("mounts", "swaps", "crypt", "encrypted"),
        [
            ("/dev/mapper/root / rw", "", (), False),
            ("/dev/sda1 / rw", "", ("dm-0",), False),
            ("overlay / rw", "", ("dm-0",), False),
            ("/dev/mapper/root / rw;/dev/sda1 /home rw", "", ("dm-0",), False),
            ("/dev/mapper/root / rw;/dev/sda1 /boot/efi rw", "", ("dm-0",), True),
            ("/dev/mapper/root / rw;/dev/sda1 /media/cd ro", "", ("dm-0",), True),
            ("/dev/mapper/root / rw", "/dev/sda1 partition 1 0 -2\n", ("dm-0",), False),
            ("/dev/mapper/root / rw", "/dev/dm-1 partition 1 0 -2\n", ("dm-0",), True),
            ("/dev/mapper/root / rw", "/dev/zram0 partition 1 0 -2\n", ("dm-0",), True),
        ],
    )
    def test_every_disk_that_is_written_to_counts(
        self, tmp_path: Path, mounts: str, swaps: str, crypt: tuple[str, ...], encrypted: bool
    ) -> None:
        assert AGENT.has_encrypted_disks(system(tmp_path, mounts=mounts, swaps=swaps, crypt=crypt)) is encrypted

    @pytest.mark.parametrize(
        ("settings", "minutes"),
        [
            ("IdleAction=lock\nIdleActionSec=900", 15), ("IdleAction=lock\nIdleActionSec=1h 30min", 90),
            ("IdleAction=lock\nIdleActionSec=61s", 2), ("IdleAction=lock", 30), ("IdleAction=suspend", None),
            ("#IdleAction=lock", None), ("IdleAction=lock\nIdleActionSec=infinity", None),
            ("IdleAction=lock\nIdleAction=ignore", None),
        ],
    )  # fmt: skip
    def test_the_lock_is_that_of_logind(self, tmp_path: Path, settings: str, minutes: int | None) -> None:
        root = system(tmp_path)
        (root / "etc/systemd/logind.conf.d/lock.conf").write_text(f"[Login]\n{settings}\n")
        assert AGENT.lock_minutes(root) == minutes

    @pytest.mark.parametrize(
        ("facts", "wrong"),
        [
            ({}, []),
            ({"encrypted": False}, ["its disks are not encrypted"]),
            ({"updated_ago": None}, ["it never had updates"]),
            ({"updated_ago": 14 * 86400}, ["nothing is known of updates for 14 days"]),
            ({"lock_minutes": 16}, ["its screen locks after 16 minutes"]),
            ({"lock_minutes": None}, ["its screen does not lock"]),
        ],
    )
    def test_a_laptop_is_judged_by_what_it_says_and_by_how_long_ago(self, facts: Any, wrong: list[str]) -> None:
        assert AGENT.shortcomings(POLICY, {**GOOD, **facts}, age=3600) == wrong

    def test_a_policy_may_do_without_encryption(self) -> None:
        assert AGENT.shortcomings({**POLICY, "disk_encryption": False}, {**GOOD, "encrypted": False}) == []


@pytest.mark.parametrize("field", ["address", "dns", "domain", "endpoint", "public_key"])
def test_nothing_that_a_register_says_becomes_a_line_of_the_profile(tmp_path: Path, field: str) -> None:
    answer = json.loads(papers(laptop(tmp_path / "lap1", "lap1", 1))["answers"])["lap1"]["answer"]
    held = AGENT.Laptop(tmp_path / "lap1")
    held._keep(answer)
    for hostile_text in (f"{answer[field]}\nPostUp = id", "x\n", "", f"{answer[field]} "):
        with pytest.raises(AGENT.AgentError, match=f"no valid {field}"):
            held._keep({**answer, field: hostile_text})
