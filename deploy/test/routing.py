#!/usr/bin/env python3
"""Holds the shipped Traefik files against the real Traefik: every route and every header they promise.

Traefik runs on loopback with random ports in front of three recorders that stand where the auth-server, the verifier
and an MCP server would. Needs `traefik` and `openssl` on PATH; Python's standard library otherwise.
"""

import http.client
import http.server
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest
import warnings

import labels

DEPLOY = pathlib.Path(__file__).resolve().parent.parent
DOMAIN = "gateway.test"
IDENTITY = {
    "X-User-Id": "583231",
    "X-User-Name": "octocat",
    "X-Auth-Client": "client-1",
    "X-Auth-Scope": "read",
    "X-Auth-Token": "",
}


class Recorder(http.server.ThreadingHTTPServer):
    """An upstream that remembers what reached it and answers with its own name."""

    def __init__(self, name):
        self.name, self.seen = name, []
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.path, self.headers.items(), body))
        text = json.dumps({"upstream": self.server.name, "headers": self.headers.items()}).encode()
        status, extra = 200, {}
        if self.path == "/verify":
            if self.headers.get("Authorization") == "Bearer good":
                extra = IDENTITY
            else:
                status, extra = 401, {"WWW-Authenticate": 'Bearer resource_metadata="https://x/y"'}
        self.send_response(status)
        for name, value in {**extra, "Content-Length": str(len(text))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_HEAD = do_PATCH = answer

    def log_message(self, *_):
        pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Traefik:
    """The real one, started by the shipped start.sh with the certificate of the shipped certificate.sh."""

    def __init__(self, dynamic=None, **extra):
        self.directory = tempfile.TemporaryDirectory()
        self.ports = {name: free_port() for name in ("http", "https", "ping")}
        self.upstreams = {name: Recorder(name) for name in ("auth", "verifier", "echo")}
        env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("ACME_", "TRAEFIK_"))},
            "BASE_DOMAIN": DOMAIN,
            "CONFIG_DIR": str(DEPLOY / "traefik"),
            "RUN_DIR": self.directory.name,
            "CERTIFICATE_DIR": self.directory.name,
            "ACME_DIR": self.directory.name,
            **{f"{name.upper()}_ADDRESS": f"127.0.0.1:{port}" for name, port in self.ports.items()},
            **{f"{name.upper()}_URL": upstream.url for name, upstream in self.upstreams.items()},
            **extra,
        }
        scripts = DEPLOY / "traefik"
        if dynamic:
            self.replace_routes(env, dynamic)
        subprocess.run(["sh", scripts / "certificate.sh"], env=env, check=True, stdout=subprocess.DEVNULL)
        self.process = subprocess.Popen(["sh", scripts / "start.sh"], env=env, stdout=subprocess.PIPE, text=True)
        self.lines, self.changed = [], threading.Condition()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.wait_for_port()

    def replace_routes(self, env, dynamic):
        """The shipped static configuration and certificate, with other routes."""
        config = pathlib.Path(self.directory.name, "config")
        shutil.copytree(DEPLOY / "traefik", config)
        (config / "dynamic/gateway.yml").unlink()
        services = {"auth": self.upstreams["verifier"].url, "myservice": self.upstreams["echo"].url}
        (config / "dynamic/echo.yml").write_text(json.dumps(dynamic(services)))
        env["CONFIG_DIR"] = str(config)

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line)
                self.changed.notify_all()

    def wait_for_port(self):
        """Until a route answers: Traefik opens its ports before it has read the routes."""
        for _ in range(200):
            try:
                if self.request("GET", f"auth.{DOMAIN}", "/").status == 200:
                    return
            except OSError:
                pass
            if self.process.poll() is not None:
                break
            threading.Event().wait(0.05)
        self.stop()
        raise AssertionError("Traefik did not start:\n" + "".join(self.lines))

    def logged(self, predicate, seconds=10):
        """The first access log line for which `predicate` holds."""
        def found():
            for line in self.lines:
                entry = json.loads(line)
                if "DownstreamStatus" in entry and predicate(entry):
                    return line
        with self.changed:
            self.changed.wait_for(found, seconds)
            return found()

    def connect(self, host):
        context = ssl.create_default_context(cafile=os.path.join(self.directory.name, "ca.crt"))
        plain = socket.create_connection(("127.0.0.1", self.ports["https"]), timeout=10)
        return context.wrap_socket(plain, server_hostname=host)

    def request(self, method, host, target, headers=(), body=b"", tls=True):
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *(f"{k}: {v}" for k, v in headers)]
        if not any(k.lower() == "connection" for k, _ in headers):
            lines.append("Connection: close")
        if body:
            lines.append(f"Content-Length: {len(body)}")
        raw = "\r\n".join([*lines, "", ""]).encode() + body
        connection = self.connect(host) if tls else socket.create_connection(("127.0.0.1", self.ports["http"]), timeout=10)
        with connection:
            connection.sendall(raw)
            return Answer(connection, method)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.reader.join()
        self.process.stdout.close()
        for upstream in self.upstreams.values():
            upstream.shutdown()
            upstream.server_close()
        self.directory.cleanup()


class Answer:
    def __init__(self, connection, method):
        response = http.client.HTTPResponse(connection, method=method)
        response.begin()
        self.status, self.headers = response.status, response.headers
        text = response.read()
        try:
            parsed = json.loads(text)
        except ValueError:
            parsed = {}
        self.upstream = parsed.get("upstream") if isinstance(parsed, dict) else None
        self.backend = [(k, v) for k, v in parsed.get("headers", [])] if isinstance(parsed, dict) else []

    def sent(self, name):
        """The values of a header as the backend received it."""
        return [v for k, v in self.backend if k.lower() == name.lower()]


GOOD = ("Authorization", "Bearer good")


class Routes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.traefik = Traefik()

    @classmethod
    def tearDownClass(cls):
        cls.traefik.stop()

    def ask(self, method, name, target, headers=(), body=b"", **kw):
        return self.traefik.request(method, f"{name}.{DOMAIN}", target, headers, body, **kw)

    def test_the_auth_host_goes_to_the_auth_server_whatever_the_path(self):
        for method, path in [("GET", "/"), ("POST", "/token"), ("OPTIONS", "/token"), ("GET", "/oauth/authorize?a=b"),
                             ("GET", "/.well-known/oauth-authorization-server"),
                             ("GET", "/.well-known/oauth-protected-resource/echo.gateway.test/mcp")]:
            self.assertEqual(self.ask(method, "auth", path).upstream, "auth", (method, path))

    def test_discovery_on_every_protected_host_goes_to_the_verifier(self):
        for host in ("echo", "other", "a-1"):
            for kind in ("oauth-protected-resource", "oauth-authorization-server", "openid-configuration"):
                for path in (f"/.well-known/{kind}", f"/.well-known/{kind}/mcp", f"/.well-known/{kind}?x=1"):
                    self.assertEqual(self.ask("GET", host, path).upstream, "verifier", (host, path))

    def test_a_path_that_only_begins_like_discovery_is_protected(self):
        for path in ("/.well-known/oauth-protected-resourceX", "/x/.well-known/oauth-protected-resource",
                     "/.well-known/other"):
            self.assertEqual(self.ask("GET", "echo", path).status, 401, path)

    def test_dot_segments_are_resolved_before_a_route_is_chosen(self):
        before = len(self.traefik.upstreams["echo"].seen)
        answer = self.ask("GET", "echo", "/.well-known/oauth-protected-resource/../../mcp")
        self.assertEqual(answer.status, 401)
        self.assertEqual(len(self.traefik.upstreams["echo"].seen), before)

    def test_encoded_backslashes_and_null_characters_are_refused(self):
        for path in ("/mcp%5c..%5cadmin", "/mcp%00"):
            self.assertEqual(self.ask("GET", "echo", path, [GOOD]).status, 400, path)

    def test_only_one_label_below_the_domain_is_a_protected_host(self):
        for host in (f"a.b.{DOMAIN}", DOMAIN, f"echo.{DOMAIN}.evil.test", "echo-gateway.test", "echoXgateway.test"):
            raw = self.plain_sni(host, "/.well-known/oauth-protected-resource")
            self.assertEqual(raw.status, 404, host)

    def plain_sni(self, host, target):
        """The same connection, another Host: the router goes by Host."""
        connection = self.traefik.connect(f"auth.{DOMAIN}")
        with connection:
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            return Answer(connection, "GET")

    def test_host_names_are_compared_without_case(self):
        self.assertEqual(self.plain_sni("ECHO.Gateway.TEST", "/.well-known/oauth-protected-resource").upstream, "verifier")
        self.assertEqual(self.plain_sni("AUTH.Gateway.TEST", "/.well-known/oauth-protected-resource").upstream, "auth")

    def test_a_preflight_goes_to_the_verifier_and_never_to_the_backend(self):
        before = len(self.traefik.upstreams["echo"].seen)
        answer = self.ask("OPTIONS", "echo", "/mcp", [("Origin", "https://x.test"), ("Access-Control-Request-Method", "POST")])
        self.assertEqual((answer.status, answer.upstream), (200, "verifier"))
        self.assertEqual(self.traefik.upstreams["verifier"].seen[-1][:2], ("OPTIONS", "/mcp"))
        self.assertEqual(len(self.traefik.upstreams["echo"].seen), before)

    def test_an_options_request_with_a_body_but_without_a_token_reaches_no_backend(self):
        before = len(self.traefik.upstreams["echo"].seen)
        preflight = ("Access-Control-Request-Method", "POST")
        for headers in ([], [("Access-Control-Request-Method", "")], [preflight], [("Access-Control-Request_Method", "POST")],
                        [("X-Forwarded-Method", "OPTIONS"), preflight], [("X-HTTP-Method-Override", "POST")]):
            answer = self.ask("OPTIONS", "echo", "/mcp", headers, b'{"jsonrpc":"2.0","id":1,"method":"tools/call"}')
            self.assertEqual(answer.status, 200 if preflight in headers else 401, headers)
        self.assertEqual(len(self.traefik.upstreams["echo"].seen), before)

    def test_the_access_log_tells_whether_the_backend_was_reached(self):
        for number, headers in (("refused", []), ("let-in", [GOOD])):
            self.ask("OPTIONS", "echo", "/mcp", [("X-Request-Id", number), *headers], b"{}")
        refused, let_in = (json.loads(self.traefik.logged(lambda e, n=n: e.get("request_X-Request-Id") == n)) for n in ("refused", "let-in"))
        self.assertEqual((refused["DownstreamStatus"], refused.get("ServiceName")), (401, None))
        self.assertEqual((let_in["DownstreamStatus"], let_in.get("ServiceName")), (200, "echo@file"))

    def test_a_post_that_claims_to_be_a_preflight_reaches_no_backend(self):
        before = len(self.traefik.upstreams["echo"].seen)
        answer = self.ask("POST", "echo", "/mcp", [("X-Forwarded-Method", "OPTIONS"), ("Access-Control-Request-Method", "POST")], b"{}")
        self.assertEqual(answer.status, 401)
        asked = dict(self.traefik.upstreams["verifier"].seen[-1][2])
        self.assertEqual(asked["X-Forwarded-Method"], "POST")
        self.assertEqual(len(self.traefik.upstreams["echo"].seen), before)

    def test_without_a_token_the_verifiers_challenge_reaches_the_client(self):
        answer = self.ask("POST", "echo", "/mcp", body=b"{}")
        self.assertEqual(answer.status, 401)
        self.assertEqual(answer.headers["WWW-Authenticate"], 'Bearer resource_metadata="https://x/y"')

    def test_the_verifier_is_told_what_traefik_saw_not_what_the_client_claims(self):
        self.ask("POST", "echo", "/mcp?x=1", [("X-Forwarded-Host", "other.gateway.test"), ("X-Forwarded-Uri", "/public"),
                                              ("X-Forwarded-Proto", "http"), ("X-Forwarded-For", "1.2.3.4"),
                                              ("X-Real-Ip", "1.2.3.4"), ("X_Forwarded_Host", "other.gateway.test"),
                                              ("X-Forwarded_Host", "other.gateway.test"), ("Forwarded", "for=1.2.3.4")], b"{}")
        asked = self.traefik.upstreams["verifier"].seen[-1][2]
        for name, value in [("host", f"echo.{DOMAIN}"), ("uri", "/mcp?x=1"), ("proto", "https"), ("method", "POST"), ("for", "127.0.0.1")]:
            values = [v for k, v in asked if k.lower().replace("_", "-") == f"x-forwarded-{name}"]
            self.assertEqual(values, [value], name)
        self.assertNotIn("1.2.3.4", [v for k, v in asked if k.lower() != "forwarded"])

    def test_the_auth_server_is_told_the_address_traefik_saw(self):
        self.ask("GET", "auth", "/", [("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Host", "evil.test"), ("X-Forwarded-Proto", "http")])
        seen = {k.lower(): v for k, v in self.traefik.upstreams["auth"].seen[-1][2]}
        self.assertEqual((seen["x-forwarded-for"], seen["x-forwarded-host"], seen["x-forwarded-proto"]),
                         ("127.0.0.1", f"auth.{DOMAIN}", "https"))

    def test_the_backend_gets_the_verified_identity_and_not_the_token(self):
        answer = self.ask("POST", "echo", "/mcp", [GOOD], b"{}")
        self.assertEqual(answer.upstream, "echo")
        for name, value in IDENTITY.items():
            self.assertEqual(answer.sent(name), [value], name)
        self.assertEqual(answer.sent("Authorization"), [])

    def test_identity_headers_a_client_forges_are_replaced_in_every_spelling(self):
        forged = []
        for name in (*IDENTITY, "X-User-Email", "X-Auth-Roles", "X-AUTH-ADMIN"):
            for spelling in (name, name.upper(), name.lower(), name.replace("-", "_"), name[::-1].replace("-", "_", 1)[::-1],
                             name.replace("-", "_", 1), name.replace("-", ".")):
                forged.append((spelling, "forged"))
        answer = self.ask("POST", "echo", "/mcp", [GOOD, *forged], b"{}")
        self.assertEqual(answer.upstream, "echo")
        self.assertNotIn("forged", [v for _, v in answer.backend])
        for name, value in IDENTITY.items():
            self.assertEqual(answer.sent(name), [value], name)

    def test_a_connection_header_cannot_remove_the_identity(self):
        for value in (", ".join(IDENTITY), "X-User-Id", "close, x-user-id, X-User-Name", "Authorization, X-Forwarded-Host, X-User-Id"):
            answer = self.ask("POST", "echo", "/mcp", [GOOD, ("Connection", value)], b"{}")
            if answer.status == 401:  # the client dropped its own token: nothing reaches the backend
                self.assertIn("Authorization", value)
                continue
            for name, expected in IDENTITY.items():
                self.assertEqual(answer.sent(name), [expected], (value, name))
            self.assertEqual(answer.sent("Authorization"), [])

    def test_a_connection_header_cannot_remove_what_the_verifier_is_told(self):
        self.ask("POST", "echo", "/mcp", [("Connection", "X-Forwarded-Host, X-Forwarded-Uri, X-Forwarded-Method, X-Forwarded-For")], b"{}")
        asked = {k.lower(): v for k, v in self.traefik.upstreams["verifier"].seen[-1][2]}
        self.assertEqual((asked["x-forwarded-host"], asked["x-forwarded-uri"], asked["x-forwarded-method"]),
                         (f"echo.{DOMAIN}", "/mcp", "POST"))

    def test_port_80_redirects_to_https(self):
        answer = self.ask("GET", "echo", "/mcp?a=b", tls=False)
        self.assertIn(answer.status, (301, 308))
        self.assertTrue(answer.headers["Location"].startswith(f"https://echo.{DOMAIN}"), answer.headers["Location"])

    def test_neither_api_nor_ping_is_served_to_clients(self):
        for path in ("/api/rawdata", "/dashboard/", "/ping", "/metrics"):
            self.assertEqual(self.plain_sni("127.0.0.1", path).status, 404, path)
            self.assertEqual(self.ask("GET", "echo", path).status, 401, path)

    def test_the_access_log_holds_no_query_no_token_and_no_cookie(self):
        self.ask("GET", "auth", "/callback?code=s3cret-code&state=s3cret-state",
                 [("Authorization", "Bearer s3cret-token"), ("Cookie", "c=s3cret-cookie"), ("Referer", "https://x/?s3cret"),
                  ("X-Request-Id", "request-1")])
        line = self.traefik.logged(lambda entry: entry.get("request_X-Request-Id") == "request-1")
        self.assertIsNotNone(line, "".join(self.traefik.lines[-3:]))
        self.assertNotIn("s3cret", "".join(self.traefik.lines))
        entry = json.loads(line)
        self.assertEqual((entry["RequestPath"], entry["DownstreamStatus"], entry["RouterName"]), ("/callback", 200, "auth@file"))

    def test_the_certificate_covers_every_host_and_nothing_else(self):
        for name in (f"auth.{DOMAIN}", f"echo.{DOMAIN}", f"anything.{DOMAIN}", DOMAIN):
            self.traefik.connect(name).close()
        for name in ("evil.test", f"a.b.{DOMAIN}"):
            with self.assertRaises(ssl.SSLCertVerificationError):
                self.traefik.connect(name)

    def test_tls_1_1_is_refused(self):
        context = ssl.create_default_context(cafile=os.path.join(self.traefik.directory.name, "ca.crt"))
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        refused = self.assertRaisesRegex(ssl.SSLError, "alert protocol version")
        with refused, socket.create_connection(("127.0.0.1", self.traefik.ports["https"])) as plain:
            context.wrap_socket(plain, server_hostname=f"auth.{DOMAIN}")

    def test_a_verifier_that_cannot_be_reached_closes_the_door(self):
        traefik = Traefik(VERIFIER_URL=f"http://127.0.0.1:{free_port()}")
        try:
            self.assertEqual(traefik.request("POST", f"echo.{DOMAIN}", "/mcp", [GOOD], b"{}").status, 500)
            self.assertEqual(traefik.upstreams["echo"].seen, [])
        finally:
            traefik.stop()


class PredecessorLabels(unittest.TestCase):
    """The labels its documentation shows, verbatim. There is one container: `auth` is also the verifier."""

    def test_they_route_and_protect_and_leave_the_two_holes_that_migrating_names(self):
        text = (DEPLOY / "test/predecessor-labels.yml").read_text()
        traefik = Traefik(lambda services: labels.dynamic(text, {"BASE_DOMAIN": DOMAIN}, services))
        try:
            self.assertEqual(traefik.request("GET", f"auth.{DOMAIN}", "/authorize").upstream, "verifier")
            self.assertEqual(traefik.request("POST", f"echo.{DOMAIN}", "/mcp", body=b"{}").status, 401)
            forged = [("X-User-Id", "forged"), ("X-Auth-Token", "forged"), ("X-Auth-Scope", "forged")]
            answer = traefik.request("POST", f"echo.{DOMAIN}", "/mcp", [GOOD, *forged], b"{}")
            self.assertEqual((answer.upstream, answer.sent("X-User-Id"), answer.sent("X-Auth-Token")), ("echo", ["583231"], [""]))
            self.assertEqual((answer.sent("Authorization"), answer.sent("X-Auth-Scope")), (["Bearer good"], ["forged"]))
        finally:
            traefik.stop()


class LetsEncrypt(unittest.TestCase):
    def test_with_an_address_the_certificates_are_asked_for_at_the_acme_server(self):
        """A listener in the directory's place sees the connection; without ACME_EMAIL nobody calls it (see Routes)."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            listener.settimeout(20)
            directory = tempfile.TemporaryDirectory()
            env = {**os.environ, "BASE_DOMAIN": DOMAIN, "CONFIG_DIR": str(DEPLOY / "traefik"), "RUN_DIR": directory.name,
                   "ACME_DIR": directory.name, "ACME_EMAIL": "ops@gateway.test",
                   "ACME_CA_SERVER": f"https://127.0.0.1:{listener.getsockname()[1]}/directory",
                   **{f"{name}_ADDRESS": f"127.0.0.1:{free_port()}" for name in ("HTTP", "HTTPS", "PING")}}
            process = subprocess.Popen(["sh", DEPLOY / "traefik" / "start.sh"], env=env, stdout=subprocess.DEVNULL)
            try:
                listener.accept()[0].close()
            finally:
                process.terminate()
                process.wait(20)
                directory.cleanup()


if __name__ == "__main__":
    unittest.main(verbosity=2)
