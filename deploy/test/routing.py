#!/usr/bin/env python3
"""Holds the shipped Traefik files against the real Traefik: every route and every header they promise.

Traefik runs on loopback with random ports in front of three recorders that stand where the auth-server, the verifier
and an MCP server would. Needs `traefik` and `openssl` on PATH; Python's standard library otherwise.
"""

import json
import os
import socket
import ssl
import subprocess
import tempfile
import unittest
import warnings

import labels
from traefik import DEPLOY, DOMAIN, IDENTITY, Answer, Traefik, free_port

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
