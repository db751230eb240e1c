"""Foreign names and pages of other sites are refused; whoever else asks is answered."""

import socket

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from tfvae.serving import running
from tfvae.serving.access import AllowedHosts, SameOrigin


def answer(request):
    return PlainTextResponse("answered")


APP = SameOrigin(Starlette(routes=[Route("/", answer, methods=["GET", "POST"])]))


def ask(app, method="POST", **headers):
    return TestClient(app).request(
        method, "/", headers={key.replace("_", "-"): value for key, value in headers.items()}
    )


def status(host, *, listens_on="127.0.0.1", address=None, more=()):
    return ask(AllowedHosts(APP, host=listens_on, address=address or listens_on, more=more), host=host).status_code


LOOPBACK = ["localhost", "LOCALHOST:8501", "localhost.", "127.0.0.1", "127.0.0.1:8501", "127.0.0.2", "[::1]:8501"]
FOREIGN = [
    "evil.example:8501", "localhost.evil.example", "evil-localhost", "127.0.0.1.evil.example", "[::1].evil.example", "",
    "a b", "localhost:8501:1", "user@localhost", "[::1", "2130706433", "0x7f.1", "[::ffff:1.2.3.4]", "*",
]  # fmt: skip


@pytest.mark.parametrize("host", LOOPBACK)
@pytest.mark.parametrize("listens_on", ["127.0.0.1", "0.0.0.0", "::", "192.168.7.8"])
def test_this_machine_is_always_asked_by_its_own_names(host, listens_on):
    assert status(host, listens_on=listens_on) == 200


@pytest.mark.parametrize("host", FOREIGN)
def test_foreign_names_are_refused_with_a_sentence(host):
    """As a page does whose name was made to lead here (DNS rebinding): also for what computes nothing."""
    app = AllowedHosts(APP, host="localhost", address="127.0.0.1")
    for method in ("GET", "POST"):
        found = ask(app, method, host=host, origin=f"http://{host}", sec_fetch_site="same-origin")
        assert found.status_code == 400
        assert f"--allowed-host NAME. Received: Host={host!r}" in found.json()["error"]


@pytest.mark.parametrize(("hosts", "found"), [([], 200), ([b"localhost", b"localhost"], 400)])
def test_a_client_without_a_host_is_no_browser(hosts, found):
    """As HTTP/1.0 allows."""
    checked = AllowedHosts(APP, host="localhost", address="127.0.0.1")

    async def app(scope, receive, send):
        await checked({**scope, "headers": [(b"host", host) for host in hosts]}, receive, send)

    assert ask(app).status_code == found


@pytest.mark.parametrize(
    ("host", "listens_on", "address", "found"),
    [
        ("192.168.7.8:8501", "192.168.7.8", None, 200),
        ("192.168.7.9", "192.168.7.8", None, 400),
        ("192.168.7.8", "127.0.0.1", None, 400),
        ("192.168.7.8:8501", "0.0.0.0", None, 200),
        ("[fd00::7]:8501", "::", None, 200),
        ("0.0.0.0:8501", "0.0.0.0", None, 200),
        ("evil.example", "0.0.0.0", None, 400),
        ("models.lan", "models.lan", "192.168.7.8", 200),
        ("192.168.7.8", "models.lan", "192.168.7.8", 200),
        ("this-machine", "0.0.0.0", None, 200),
        ("this-machine.local:8501", "192.168.7.8", None, 200),
        ("this-machine.lan", "::", None, 200),
        ("this-machine", "127.0.0.1", None, 400),
    ],
)
def test_a_server_for_others_has_its_addresses_and_its_own_name(host, listens_on, address, found, monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "this-machine.lan")
    assert status(host, listens_on=listens_on, address=address) == found


@pytest.mark.parametrize(
    ("more", "host", "found"),
    [
        (["models.example.com", "other"], "models.example.com:443", 200),
        (["Models.Example.com."], "models.example.com", 200),
        (["other"], "models.example.com", 400),
        (["*.example.com"], "models.example.com", 200),
        (["*.example.com"], "a.b.example.com", 200),
        (["*.example.com"], "example.com", 400),
        (["*.example.com"], "evilexample.com", 400),
        (["10.1.2.3", "fd00::7"], "10.1.2.3:8501", 200),
        (["10.1.2.3", "fd00::7"], "[fd00:0::7]:8501", 200),
        (["*"], "evil.example", 200),
    ],
)
def test_allowed_hosts(more, host, found):
    assert status(host, more=more) == found


@pytest.mark.parametrize("name", ["http://a.example", "a.example:80", "a.*", "a b", "", "*example.com", "a/b"])
def test_an_allowed_host_that_is_no_name(name):
    with pytest.raises(ValueError, match=r"without scheme and port.*Received: allowed_host="):
        AllowedHosts(APP, host="localhost", address="127.0.0.1", more=[name])


TEXT = {"content_type": "text/plain"}


@pytest.mark.parametrize(
    ("method", "headers", "found"),
    [
        # No browser, whatever it calls its body.
        ("POST", {}, 200),
        ("POST", TEXT, 200),
        # The server's own page, to localhost or over HTTPS, else, and through a proxy that changes the name.
        ("POST", {"origin": "http://testserver", "sec_fetch_site": "same-origin"}, 200),
        ("POST", {"origin": "http://testserver"}, 200),
        ("POST", {"origin": "https://TestServer", **TEXT}, 200),
        ("POST", {"origin": "https://models.example.com", "sec_fetch_site": "same-origin"}, 200),
        # Pages of other sites, in forms that need no leave.
        ("POST", {"origin": "http://evil.example", **TEXT}, 403),
        ("POST", {"origin": "http://evil.example", "content_type": "application/json"}, 403),
        ("POST", {"origin": "http://evil.example", "content_type": "application/x-www-form-urlencoded"}, 403),
        ("POST", {"origin": "null", **TEXT}, 403),
        ("POST", {"origin": "", **TEXT}, 403),
        ("POST", {"origin": "http://testserver:8502", **TEXT}, 403),
        ("POST", {"origin": "http://testserver.evil.example", **TEXT}, 403),
        ("POST", {"origin": "http://evil.example", "sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"}, 403),
        ("POST", {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, 403),
        ("POST", {"origin": "http://testserver", "sec_fetch_site": "same-site"}, 403),
        ("GET", {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"}, 403),
        ("GET", {"origin": "http://evil.example"}, 403),
        # A link, and an address that was typed.
        ("GET", {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, 200),
        ("GET", {"sec_fetch_site": "none", "sec_fetch_mode": "navigate"}, 200),
    ],
)
def test_pages_of_other_sites_are_not_answered(method, headers, found):
    answered = ask(APP, method, **headers)
    assert answered.status_code == found, answered.text
    assert answered.headers["x-content-type-options"] == "nosniff"
    assert answered.headers["cross-origin-resource-policy"] == "same-origin"
    if found == 403:
        assert "pages of other sites are refused" in answered.json()["error"]


def test_a_server_that_runs_checks_names(monkeypatch):
    """With the address that it listens on: a name may stand for any."""
    served = []

    class Server:
        def __init__(self, app):
            served.append(app)

        def run(self, sockets):
            pass

    monkeypatch.setattr(running, "make_server", Server)
    running.run_app(APP, "localhost", 0, allowed_hosts=["models.lan"])
    for host, found in {"localhost": 200, "127.0.0.1": 200, "models.lan": 200, "evil.example": 400}.items():
        assert ask(served[0], host=host).status_code == found
