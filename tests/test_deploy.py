"""The files in deploy/ are read by the programs they are for where these are present, by checks of our own everywhere,
and every command in them exists."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.ledger.relay import Relay
from app.web.bodies import BOUNDS, DEFAULT
from app.web.deadlines import HEADER_SECONDS, MOST_HEADER_BYTES
from tests.journeys.nodes import free_port
from tests.test_architecture import ROOT
from tests.test_docs import commands

DEPLOY = ROOT / "deploy"
UNITS = ("mboka.service", "mboka-backup.service", "mboka-backup.timer")
SERVICES = UNITS[:2]
PROGRAM = "/opt/mboka/bin/mboka"


class Unit(configparser.ConfigParser):
    """A systemd unit, each key once."""

    def __init__(self, name: str) -> None:
        super().__init__(delimiters=("=",), comment_prefixes=("#",), interpolation=None, strict=True)
        self.optionxform = str  # type: ignore[assignment, method-assign]
        self.read_string((DEPLOY / name).read_text(encoding="utf-8"))


def seconds(text: str) -> float:
    """A time span of systemd or nginx."""
    number, unit = re.fullmatch(r"(\d+)(s|min|h|)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"": 1, "s": 1, "min": 60, "h": 3600}[unit]


def size(text: str) -> int:
    """A size of nginx in bytes."""
    number, unit = re.fullmatch(r"(\d+)([km])", text).groups()  # type: ignore[union-attr]
    return int(number) << {"k": 10, "m": 20}[unit]


@pytest.mark.parametrize("name", SERVICES)
def test_the_program_a_unit_starts_has_that_command_and_those_options(name: str) -> None:
    words = shlex.split(Unit(name)["Service"]["ExecStart"])
    assert words[0] == PROGRAM
    command = commands().commands[words[1]]
    context = command.make_context(words[1], words[2:], resilient_parsing=False)
    assert str(context.params["data"]) == "/var/lib/mboka"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_as_nobody_else_and_sees_only_what_it_needs(name: str) -> None:
    service = Unit(name)["Service"]
    assert (service["User"], service["Group"]) == ("mboka", "mboka")
    assert (service["ProtectSystem"], service["ProtectHome"], service["NoNewPrivileges"]) == (
        "strict",
        "yes",
        "yes",
    )
    assert (service["StateDirectory"], service["StateDirectoryMode"]) == ("mboka", "0700")
    assert service["UMask"] == "0077"
    assert service["CapabilityBoundingSet"] == ""


def test_the_server_is_started_again_and_stopped_gently() -> None:
    service = Unit("mboka.service")["Service"]
    assert service["Restart"] == "on-failure"
    assert "--behind-proxy" in service["ExecStart"]
    # Relay.stop waits so long for the exchange under way.
    waits = re.search(
        r"join\(timeout=(\d+)\)", Path(ROOT / "app/ledger/relay.py").read_text(encoding="utf-8")
    )
    assert waits is not None
    assert Relay.stop.__doc__
    assert seconds(service["TimeoutStopSec"]) > float(waits[1])


def test_a_backup_is_made_every_night_or_the_morning_after_and_old_ones_go() -> None:
    timer, service = Unit("mboka-backup.timer")["Timer"], Unit("mboka-backup.service")["Service"]
    assert timer["Persistent"] == "true"
    assert seconds(timer["RandomizedDelaySec"]) > 0
    assert re.fullmatch(r"\*-\*-\* \d\d:\d\d:00", timer["OnCalendar"])
    assert service["Type"] == "oneshot"
    words = shlex.split(service["ExecStart"])
    assert int(words[words.index("--keep") + 1]) >= 7
    assert words[words.index("--to") + 1] in service["ReadWritePaths"].split()


def test_systemd_itself_finds_nothing_wrong(tmp_path: Path) -> None:
    """Our own reading above stands in for it on machines without systemd."""
    for name in UNITS:
        text = (DEPLOY / name).read_text(encoding="utf-8")
        # The program is not installed here; that its command exists is tested above.
        text = re.sub(rf"^ExecStart={PROGRAM}.*$", "ExecStart=/bin/true", text, flags=re.MULTILINE)
        assert PROGRAM not in text
        (tmp_path / name).write_text(text, encoding="utf-8")
    verify = shutil.which("systemd-analyze")
    if verify is not None:
        units = [str(tmp_path / name) for name in UNITS]
        done = subprocess.run(
            [verify, "verify", "--man=no", *units], capture_output=True, text=True, check=False
        )
        ours = [line for line in done.stderr.splitlines() if "mboka" in line]
        assert ours == [], done.stderr


# -- nginx -------------------------------------------------------------------------------------------------------


Block = list[tuple[list[str], "Block | None"]]


def parse(tokens: Iterator[str]) -> Block:
    """nginx's grammar: words up to `;`, or up to a block in braces."""
    found: Block = []
    words: list[str] = []
    for token in tokens:
        if token == ";":
            assert words, "an empty directive"
            found.append((words, None))
            words = []
        elif token == "{":
            found.append((words, parse(tokens)))
            words = []
        elif token == "}":
            break
        else:
            words.append(token)
    assert not words, f"not ended: {words}"
    return found


def site() -> Block:
    text = re.sub(r"(?m)^\s*#.*$", "", (DEPLOY / "nginx.conf").read_text(encoding="utf-8"))
    assert text.count("{") == text.count("}")
    return parse(iter(re.findall(r"'[^']*'|\"[^\"]*\"|[;{}]|[^\s;{}]+", text)))


def directives(block: Block) -> dict[str, list[str]]:
    """The single directives of a block."""
    return {words[0]: words[1:] for words, inner in block if inner is None}


def tls_server() -> Block:
    (found,) = [
        inner
        for words, inner in site()
        if words == ["server"] and inner and "ssl_certificate" in directives(inner)
    ]
    return found


def location(path: str) -> dict[str, list[str]]:
    """What holds for a path: the server's directives, then the location's own."""
    server = tls_server()
    own = [inner for words, inner in server if words[0] == "location" and words[-1] == path]
    assert len(own) == 1
    return directives(server) | directives(own[0] or [])


def test_the_site_lets_through_what_the_server_takes_and_hardly_more() -> None:
    for path, bound in BOUNDS.items():
        allowed = size(location(path)["client_max_body_size"][0])
        assert bound.bytes < allowed <= 2 * bound.bytes
    assert DEFAULT.bytes < size(location("/")["client_max_body_size"][0]) <= 2 * DEFAULT.bytes


def test_the_site_waits_no_longer_than_the_server_would_and_keeps_lines_open() -> None:
    server = directives(tls_server())
    assert seconds(server["client_header_timeout"][0]) <= HEADER_SECONDS
    assert seconds(server["client_body_timeout"][0]) <= DEFAULT.seconds
    number, each = server["large_client_header_buffers"]
    assert int(number) * size(each) <= MOST_HEADER_BYTES
    assert server["proxy_http_version"] == ["1.1"]
    assert ["proxy_set_header", "Connection", '""'] in [words for words, _ in tls_server()]
    (upstream,) = [inner for words, inner in site() if words[0] == "upstream"]
    assert directives(upstream or [])["server"] == ["127.0.0.1:8017"]
    assert int(directives(upstream or [])["keepalive"][0]) > 0


def test_refusals_pass_through_and_nothing_is_sent_twice_kept_or_logged_with_names() -> None:
    server = directives(tls_server())
    assert server["proxy_intercept_errors"] == ["off"]
    assert server["proxy_next_upstream"] == ["off"]
    assert location("/sync/v1/packs")["proxy_buffering"] == ["off"]
    assert all(words[0] != "proxy_cache" for words, _ in tls_server())
    (log,) = [words for words, _ in site() if words[0] == "log_format"]
    assert "$uri" in log[2]
    assert not re.search(r"\$(request|request_uri|args|query_string)\b", log[2])
    assert server["ssl_protocols"] == ["TLSv1.2", "TLSv1.3"]


def test_nginx_itself_takes_the_site(tmp_path: Path) -> None:
    """Our own reading above stands in for it on machines without nginx."""
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    certificate(tmp_path)
    text = text.replace("/etc/mboka/", f"{tmp_path}/").replace("/var/log/nginx/", f"{tmp_path}/")
    # Only root may have the real ports, and some machines have no IPv6.
    text = re.sub(r"listen \S*\d( ssl)?;", lambda m: f"listen 127.0.0.1:{free_port()}{m[1] or ''};", text)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "\n".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in kinds)
    whole = tmp_path / "whole.conf"
    whole.write_text(
        f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{places}\n{text}\n}}\n",
        encoding="utf-8",
    )
    assert "/etc/mboka" not in whole.read_text(encoding="utf-8")
    program = shutil.which("nginx")
    if program is not None:
        command = [program, "-t", "-c", str(whole), "-p", str(tmp_path), "-e", str(tmp_path / "error.log")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def certificate(folder: Path) -> None:
    """A certificate that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "commune.example")])
    start = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = builder.not_valid_before(start).not_valid_after(start + timedelta(days=1)).sign(key, SHA256())
    (folder / "cert.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def test_the_page_installs_every_file_in_ten_steps() -> None:
    page = (DEPLOY / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^# (\d+)\.", page, re.MULTILINE) == [str(number) for number in range(1, 11)]
    for file in DEPLOY.iterdir():
        if file.name != "README.md":
            assert re.search(rf"^sudo cp .*{re.escape(file.name)}", page, re.MULTILINE), file.name
