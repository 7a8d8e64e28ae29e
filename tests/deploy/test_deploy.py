"""The files in deploy/, checked by the programs that read them."""

import http.client
import json
import shutil
import signal
import socket
import subprocess

import pytest

from benchmarks.proxies import DEPLOY, HOST, PROXIES
from benchmarks.servers import ROOT
from tests.conftest import BROWSER
from tests.halves import on_sqlite
from tests.running import BASE, running

pytestmark = on_sqlite


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


# Behind the real proxies


@pytest.fixture(params=[pytest.param(name, marks=needs(name)) for name in PROXIES])
def before(request, tmp_path):
    """Run a proxy in front of what listens at this host and port."""
    return lambda backend: PROXIES[request.param](backend, tmp_path)


@pytest.fixture
def service(tmp_path):
    trust = {"TRUSTED_PROXIES": "127.0.0.1", "ALLOWED_HOSTS": f"127.0.0.1,{HOST}"}
    with running(tmp_path, workers=1, **trust) as service:
        yield service


@pytest.fixture
def proxy(before, service):
    with before(service.server.url.removeprefix("http://")) as proxy:
        yield proxy


def test_service_behind_a_proxy_sees_the_address_of_the_client(service, proxy):
    key = service.new_site()
    excluded = {"excluded_ips": ["127.0.0.9"]}
    assert service("PATCH", f"/sites/{key}/settings", excluded).status == 200
    body = json.dumps({"site": key, "type": "event", "name": "signup"})

    def dropped(source, path=f"{BASE}/collect", **claimed):
        headers = {name.replace("_", "-"): value for name, value in claimed.items()}
        headers["User-Agent"] = BROWSER
        response, content = proxy.send(
            "POST", f"{path}?debug=1", body, headers, source=source
        )
        assert response.status == 202, content
        return json.loads(content)["dropped"]

    assert dropped("127.0.0.9") == "excluded_ip"
    assert dropped("127.0.0.10") is None
    # The address that the snippet sends to.
    assert dropped("127.0.0.9", "/a") == "excluded_ip"
    assert dropped("127.0.0.10", "/a") is None
    # What a client claims about its address does not count.
    assert dropped("127.0.0.9", X_Forwarded_For="203.0.113.7") == "excluded_ip"
    assert dropped("127.0.0.9", Forwarded="for=203.0.113.7") == "excluded_ip"
    assert dropped("127.0.0.10", X_Forwarded_For="127.0.0.9") is None
    connection = http.client.HTTPConnection("127.0.0.1", proxy.http_port, timeout=10)
    connection.request("GET", "/a.js", headers={"Host": HOST})
    redirect = connection.getresponse()
    assert redirect.status == 308
    location = redirect.headers["Location"].replace(f":{proxy.https_port}", "")
    assert location == f"https://{HOST}/a.js"
    connection.close()


def test_proxy_passes_on_complete_bodies_only(before):
    with (
        socket.create_server(("127.0.0.1", 0)) as backend,
        before(f"127.0.0.1:{backend.getsockname()[1]}") as proxy,
        proxy.connect() as client,
    ):
        head = f"POST {BASE}/collect HTTP/1.1\r\nHost: {HOST}\r\n"
        client.sendall(f"{head}Content-Length: 9\r\n\r\nhalf".encode())
        backend.settimeout(0.5)
        with pytest.raises(TimeoutError):
            backend.accept()
        client.sendall(b"-sent")
        backend.settimeout(10)
        passed, _ = backend.accept()
        passed.settimeout(10)
        with passed:
            got = b""
            while not got.endswith(b"half-sent"):
                part = passed.recv(65_536)
                assert part, got
                got += part


@needs("nginx")
def test_script_behind_nginx_outlives_the_service(service, tmp_path):
    with PROXIES["nginx"](
        service.server.url.removeprefix("http://"), tmp_path
    ) as nginx:
        first, script = nginx.send("GET", "/a.js")
        assert first.status == 200
        assert b"ka" in script
        service.server.process.send_signal(signal.SIGTERM)
        service.server.process.wait(40)
        then, same = nginx.send("GET", "/a.js")
        assert (then.status, same) == (200, script)
        away, _ = nginx.send("GET", f"{BASE}/sites")
        assert away.status == 502
