"""The files in deploy/, checked by the programs that read them."""

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from benchmarks.servers import ROOT, free_port
from tests.conftest import BROWSER
from tests.running import BASE, running

DEPLOY = ROOT / "deploy"
HOST = "stats.example.com"


def needs(program):
    return pytest.mark.skipif(
        shutil.which(program) is None, reason=f"{program} is not installed"
    )


def output_of(*command):
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 0, result.stderr
    return result.stdout + result.stderr


@needs("systemd-analyze")
def test_unit_is_valid_and_hardened(tmp_path):
    # The only thing that is missing here is the installation it names.
    unit = (DEPLOY / "krafter.service").read_text()
    assert unit.count("/opt/krafter/.venv/bin/python") == 2
    path = tmp_path / "krafter.service"
    path.write_text(unit.replace("/opt/krafter/.venv/bin/python", "/bin/true"))
    assert output_of("systemd-analyze", "verify", str(path)) == ""
    security = output_of("systemd-analyze", "security", "--offline=true", str(path))
    assert "OK" in security.splitlines()[-1]


def test_unit_restarts_for_ever_and_reloads():
    lines = (DEPLOY / "krafter.service").read_text().splitlines()
    for line in ("Restart=always", "StartLimitIntervalSec=0", "LimitNOFILE=65536"):
        assert line in lines
    assert "ExecReload=/bin/kill -HUP $MAINPID" in lines


def test_example_environment_names_documented_settings_only():
    text = (DEPLOY / "krafter.env.example").read_text()
    names = [
        line.partition("=")[0] for line in text.splitlines() if line and line[0] != "#"
    ]
    assert len(names) >= 8
    documented = (ROOT / "docs/operations.md").read_text()
    assert [name for name in names if f"`{name}`" not in documented] == []


@needs("caddy")
def test_caddyfile_is_valid():
    config = str(DEPLOY / "Caddyfile")
    output_of("caddy", "validate", "--adapter", "caddyfile", "--config", config)


@pytest.fixture
def service(tmp_path):
    trust = {"TRUSTED_PROXIES": "127.0.0.1", "ALLOWED_HOSTS": f"127.0.0.1,{HOST}"}
    with running(tmp_path, workers=1, **trust) as service:
        yield service


@pytest.fixture
def nginx(tmp_path, service):
    """The shipped configuration on other ports, with a certificate of the test."""
    http_port, https_port = free_port(), free_port()
    backend = service.server.url.removeprefix("http://")
    site = (DEPLOY / "nginx.conf").read_text()
    for shipped, here in {
        "server 127.0.0.1:8000;": f"server {backend};",
        "listen 80;": f"listen 127.0.0.1:{http_port};",
        "listen 443 ssl http2;": f"listen 127.0.0.1:{https_port} ssl http2;",
        "    listen [::]:80;\n": "",
        "    listen [::]:443 ssl http2;\n": "",
        f"/etc/letsencrypt/live/{HOST}/fullchain.pem": f"{tmp_path}/cert.pem",
        f"/etc/letsencrypt/live/{HOST}/privkey.pem": f"{tmp_path}/key.pem",
        "/var/cache/nginx/krafter": f"{tmp_path}/cache",
    }.items():
        assert site.count(shipped) == 1, shipped
        site = site.replace(shipped, here)
    output_of(
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
        *("-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"),
        *("-keyout", f"{tmp_path}/key.pem", "-out", f"{tmp_path}/cert.pem"),
    )
    temporary = "".join(
        f"{name}_temp_path {tmp_path}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    (tmp_path / "site.conf").write_text(site)
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"{user} daemon off; pid {tmp_path}/nginx.pid; error_log stderr;\n"
        f"events {{}}\nhttp {{ {temporary} include {tmp_path}/site.conf; }}\n"
    )
    output_of("nginx", "-t", "-c", str(config))
    process = subprocess.Popen(["nginx", "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not accepts(https_port):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield Proxy(http_port, https_port, tmp_path / "cert.pem")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Proxy:
    def __init__(self, http_port: int, https_port: int, certificate: Path) -> None:
        self.http_port = http_port
        self.https_port = https_port
        self._tls = ssl.create_default_context(cafile=str(certificate))

    def send(self, method, path, body=None, *, source="127.0.0.1", **headers):
        """Over TLS to the shipped host name, from an address of the loopback."""
        raw = socket.create_connection(
            ("127.0.0.1", self.https_port), timeout=10, source_address=(source, 0)
        )
        connection = http.client.HTTPSConnection(HOST, timeout=10)
        connection.sock = self._tls.wrap_socket(raw, server_hostname=HOST)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"User-Agent": BROWSER, **names})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response, content


@needs("nginx")
def test_service_behind_nginx_sees_the_address_of_the_client(service, nginx):
    key = service.new_site()
    excluded = {"excluded_ips": ["127.0.0.9"]}
    assert service("PATCH", f"/sites/{key}/settings", excluded).status == 200
    body = json.dumps({"site": key, "type": "event", "name": "signup"})
    url = f"{BASE}/collect?debug=1"

    def dropped(source, **headers):
        response, content = nginx.send("POST", url, body, source=source, **headers)
        assert response.status == 202, content
        return json.loads(content)["dropped"]

    assert dropped("127.0.0.9") == "excluded_ip"
    assert dropped("127.0.0.10") is None
    # What a client claims about its address does not count.
    assert dropped("127.0.0.9", X_Forwarded_For="203.0.113.7") == "excluded_ip"
    assert dropped("127.0.0.9", Forwarded="for=203.0.113.7") == "excluded_ip"
    assert dropped("127.0.0.10", X_Forwarded_For="127.0.0.9") is None
    connection = http.client.HTTPConnection("127.0.0.1", nginx.http_port, timeout=10)
    connection.request("GET", "/a.js", headers={"Host": HOST})
    redirect = connection.getresponse()
    assert (redirect.status, redirect.headers["Location"]) == (
        308,
        f"https://{HOST}/a.js",
    )
    connection.close()


@needs("nginx")
def test_script_behind_nginx_outlives_the_service(service, nginx):
    first, script = nginx.send("GET", "/a.js")
    assert first.status == 200
    assert b"ka" in script
    service.server.process.send_signal(signal.SIGTERM)
    service.server.process.wait(40)
    then, same = nginx.send("GET", "/a.js")
    assert (then.status, same) == (200, script)
    away, _ = nginx.send("GET", f"{BASE}/sites")
    assert away.status == 502
