#!/usr/bin/env python3
"""Uses a running gateway as a client and a browser would, through Traefik's TLS port. Python's standard library only.

    flow.py login|down|after --domain D --https PORT --http PORT --ca FILE --state FILE

login: discovery, registration, consent, login at the stand-in GitHub, code, token, refresh, tools/call.
down:  while the store is away, nobody gets in.
after: what `login` left behind is still there; then the grant is revoked.
"""

import argparse
import base64
import hashlib
import html.parser
import http.client
import http.cookies
import json
import secrets
import socket
import ssl
import sys
import traceback
import urllib.parse

REDIRECT = "http://127.0.0.1:33418/callback"


class Failed(Exception):
    """A fact that does not hold; what follows from it is not tried."""


def fact(holds, text, detail=""):
    print(f"  {'ok   ' if holds else 'FAIL '} {text}{'' if holds else f': {detail}'}", flush=True)
    if not holds:
        raise Failed(text)


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    def json(self):
        return json.loads(self.body)

    def __str__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:400]!r}"


class Wire:
    """Requests to the published ports on loopback, whatever the host is called."""

    def __init__(self, options):
        self.options, self.cookies = options, {}

    def connection(self, url):
        if url.scheme == "http":
            port = self.options.http if url.hostname.endswith(self.options.domain) else url.port
            return http.client.HTTPConnection("127.0.0.1", port, timeout=15)
        context = ssl.create_default_context(cafile=self.options.ca)
        connection = http.client.HTTPSConnection(url.hostname, context=context, timeout=15)
        plain = socket.create_connection(("127.0.0.1", self.options.https), timeout=15)
        connection.sock = context.wrap_socket(plain, server_hostname=url.hostname)
        return connection

    def send(self, method, address, headers=None, body=None, cookies=False):
        url = urllib.parse.urlsplit(address)
        target = urllib.parse.urlunsplit(("", "", url.path or "/", url.query, ""))
        headers = {"Host": url.netloc, "User-Agent": "compose-test", **(headers or {})}
        jar = self.cookies.setdefault(url.netloc, {})
        if cookies and jar:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        if isinstance(body, dict):
            body = urllib.parse.urlencode(body)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = self.connection(url)
        try:
            connection.request(method, target, body, headers)
            answer = Answer(connection.getresponse())
        finally:
            connection.close()
        if cookies:
            for line in answer.headers.get_all("Set-Cookie") or []:
                for name, morsel in http.cookies.SimpleCookie(line).items():
                    jar[name] = morsel.value
                    if morsel["max-age"] == "0":
                        del jar[name]
        return answer

    def json(self, method, address, value=None, token=None, **headers):
        given = {"Content-Type": "application/json", "Accept": "application/json", **headers}
        if token:
            given["Authorization"] = f"Bearer {token}"
        return self.send(method, address, given, json.dumps(value) if value is not None else None)


class Form(html.parser.HTMLParser):
    """The first form of a page for which `wanted` is among the buttons, or the first one."""

    def __init__(self, page, wanted=None):
        super().__init__()
        self.forms = []
        self.feed(page.decode())
        chosen = [f for f in self.forms if wanted in f["buttons"]] if wanted else self.forms
        if not chosen:
            raise Failed(f"the page has no form{f' with {wanted}' if wanted else ''}: {page[:600]!r}")
        self.action, self.method = chosen[0]["action"], chosen[0]["method"]
        self.fields = {**chosen[0]["fields"], **([dict([wanted])] if wanted else chosen[0]["first"])[0]}

    def handle_starttag(self, tag, attributes):
        given = {name: value or "" for name, value in attributes}
        if tag == "form":
            self.forms.append({"action": given.get("action", ""), "method": given.get("method", "get").upper(),
                               "fields": {}, "buttons": [], "first": [{}]})
        elif self.forms and tag == "input" and given.get("type") == "hidden":
            self.forms[-1]["fields"][given["name"]] = given.get("value", "")
        elif self.forms and (tag == "button" or (tag == "input" and given.get("type") == "submit")) and "name" in given:
            form = self.forms[-1]
            if not form["buttons"]:
                form["first"] = [{given["name"]: given.get("value", "")}]
            form["buttons"].append((given["name"], given.get("value", "")))


class Browser:
    """Follows redirects by hand, keeps cookies, presses buttons; stops where the client listens."""

    def __init__(self, wire):
        self.wire = wire

    def go(self, method, address, body=None, origin=None):
        for _ in range(10):
            if address.startswith(REDIRECT):
                return address, None
            headers = {"Accept": "text/html", **({"Origin": origin} if origin else {})}
            answer = self.wire.send(method, address, headers, body, cookies=True)
            if answer.status not in (301, 302, 303, 307, 308):
                return address, answer
            address = urllib.parse.urljoin(address, answer.headers["Location"])
            if answer.status in (301, 302, 303):
                method, body = "GET", None
        raise Failed("too many redirects")

    def press(self, address, page, wanted=None):
        form = Form(page.body, wanted)
        parts = urllib.parse.urlsplit(address)
        target = urllib.parse.urljoin(address, form.action)
        if form.method == "GET":
            return self.go("GET", f"{target}?{urllib.parse.urlencode(form.fields)}")
        return self.go(form.method, target, form.fields, f"{parts.scheme}://{parts.netloc}")


class Mcp:
    """A session with the protected MCP server."""

    def __init__(self, wire, url):
        self.wire, self.url, self.session, self.count = wire, url, {}, 0

    def call(self, method, params=None, token=None, notification=False, extra=None):
        message = {"jsonrpc": "2.0", "method": method, **({"params": params} if params is not None else {})}
        if not notification:
            self.count += 1
            message["id"] = self.count
        headers = {"Accept": "application/json, text/event-stream", **self.session, **(extra or {})}
        return self.wire.json("POST", self.url, message, token, **headers)

    def start(self, token):
        params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "compose-test", "version": "1"}}
        answer = self.call("initialize", params, token)
        if answer.status != 200:
            return answer
        self.session = {"MCP-Protocol-Version": result(answer)["result"]["protocolVersion"]}
        if answer.headers.get("Mcp-Session-Id"):
            self.session["Mcp-Session-Id"] = answer.headers["Mcp-Session-Id"]
        self.call("notifications/initialized", token=token, notification=True)
        return answer

    def tool(self, name, token, arguments=None, extra=None):
        return self.call("tools/call", {"name": name, "arguments": arguments or {}}, token, extra=extra)


def result(answer):
    """The JSON-RPC answer, plain or in an event stream."""
    if "event-stream" not in answer.headers.get("Content-Type", ""):
        return answer.json()
    for line in answer.body.decode().splitlines():
        if line.startswith("data:") and '"jsonrpc"' in line:
            message = json.loads(line[5:])
            if "id" in message:
                return message
    raise Failed(f"no answer in the stream: {answer}")


class Flow:
    def __init__(self, options):
        self.options, self.wire = options, Wire(options)
        self.auth, self.mcp_url = f"https://auth.{options.domain}", f"https://echo.{options.domain}/mcp"

    def token(self, **form):
        return self.wire.send("POST", self.metadata["token_endpoint"], {"Accept": "application/json"},
                              {"client_id": self.client["client_id"], "resource": self.mcp_url, **form})

    def can_call(self, token, text):
        mcp = Mcp(self.wire, self.mcp_url)
        answer = mcp.start(token)
        fact(answer.status == 200, f"{text}: initialize", answer)
        answer = mcp.tool("whoami", token)
        fact(answer.status == 200 and "octocat" in json.dumps(result(answer)), f"{text}: tools/call knows the user", answer)
        return mcp

    def login(self):
        self.discover()
        self.register()
        code = self.authorize()
        answer = self.token(grant_type="authorization_code", code=code, redirect_uri=REDIRECT, code_verifier=self.verifier)
        fact(answer.status == 200 and answer.headers["Cache-Control"] == "no-store", "the code becomes tokens", answer)
        tokens = answer.json()
        mcp = self.can_call(tokens["access_token"], "through Traefik")
        self.backend_headers(mcp, tokens["access_token"])
        self.unauthenticated_options()
        refreshed = self.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
        fact(refreshed.status == 200, "the refresh token rotates", refreshed)
        with open(self.options.state, "w", encoding="utf-8") as file:
            json.dump({"client": self.client, "metadata": self.metadata, "tokens": refreshed.json()}, file)

    def discover(self):
        answer = self.wire.send("GET", self.mcp_url.replace("https", "http", 1))
        fact(answer.status in (301, 308) and answer.headers["Location"] == self.mcp_url, "port 80 redirects", answer)
        answer = Mcp(self.wire, self.mcp_url).start(None)
        challenge = answer.headers.get("WWW-Authenticate", "")
        fact(answer.status == 401 and "resource_metadata=" in challenge, "without a token: 401 with the MCP challenge", answer)
        fact("error=" not in challenge, "which names no error", answer)
        answer = self.wire.json("POST", self.mcp_url, {}, Origin="https://inspector.test")
        exposed = answer.headers.get("Access-Control-Expose-Headers", "").lower()
        fact(answer.headers.get("Access-Control-Allow-Origin") and "www-authenticate" in exposed, "and which a browser may read", answer)
        where = challenge.split('resource_metadata="')[1].split('"')[0]
        answer = self.wire.json("GET", where)
        fact(answer.status == 200 and answer.json()["resource"] == self.mcp_url, "its metadata names the resource", answer)
        issuer = answer.json()["authorization_servers"][0]
        fact(issuer == self.auth, "and the issuer", issuer)
        for host in (self.auth, f"https://echo.{self.options.domain}"):
            answer = self.wire.json("GET", f"{host}/.well-known/oauth-authorization-server")
            fact(answer.status == 200 and answer.json()["issuer"] == issuer, f"authorization server metadata at {host}", answer)
        self.metadata = answer.json()

    def register(self):
        answer = self.wire.json("POST", self.metadata["registration_endpoint"], {
            "client_name": "Compose test", "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"]})
        fact(answer.status == 201, "a client registers itself", answer)
        self.client = answer.json()

    def authorize(self):
        self.verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        query = {"response_type": "code", "client_id": self.client["client_id"], "redirect_uri": REDIRECT, "state": state,
                 "code_challenge": challenge, "code_challenge_method": "S256", "resource": self.mcp_url}
        browser = Browser(self.wire)
        address, page = browser.go("GET", f"{self.metadata['authorization_endpoint']}?{urllib.parse.urlencode(query)}")
        fact(page is not None and page.status == 200 and address.startswith(self.auth) and b"Compose test" in page.body,
             "our consent page comes first", page)
        address, page = browser.press(address, page, ("decision", "allow"))
        fact(page is not None and page.status == 200 and address.startswith("http://127.0.0.1"),
             "then the stand-in GitHub", f"{address} {page}")
        address, page = browser.press(address, page)
        fact(page is None, "and back to the client", f"{address} {page}")
        answer = urllib.parse.parse_qs(urllib.parse.urlsplit(address).query)
        fact("code" in answer and answer["state"] == [state] and answer.get("iss") == [self.auth], "with code, state and iss", answer)
        return answer["code"][0]

    def backend_headers(self, mcp, token):
        forged = {"X-User-Id": "1", "X_User_Id": "1", "X-User-Name": "root", "X-Auth-Token": "forged-1", "X-Auth-Scope": "forged-2",
                  "X-User-Admin": "forged-3", "X-Forwarded-Host": "forged-4.test", "Connection": "close, X-User-Id, X-User-Name"}
        answer = mcp.tool("headers", token, extra=forged)
        text = result(answer)["result"]["content"][0]["text"]
        seen = {name.lower(): value if isinstance(value, list) else [value] for name, value in json.loads(text).items()}
        expected = {"x-user-id": ["583231"], "x-user-name": ["octocat"], "x-auth-client": [self.client["client_id"]], "x-auth-token": [""]}
        fact({name: seen.get(name) for name in expected} == expected, "the backend gets the verified identity, once", text)
        fact(token not in text and "authorization" not in seen, "the backend never sees the token", text)
        fact("forged" not in text and not [name for name in seen if "_" in name or "admin" in name], "and nothing that a client forged", text)

    def unauthenticated_options(self):
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": {"message": "x"}}}
        answer = self.wire.json("OPTIONS", self.mcp_url, body)
        fact(answer.status == 401, "OPTIONS with a body but without a token is refused", answer)
        answer = self.wire.json("OPTIONS", self.mcp_url, body, **{"Origin": "https://inspector.test", "Access-Control-Request-Method": "POST",
                                                                  "Access-Control-Request-Headers": "authorization"})
        fact(answer.status == 204 and answer.headers.get("Access-Control-Allow-Origin"), "a preflight is answered", answer)

    def restore(self):
        with open(self.options.state, encoding="utf-8") as file:
            state = json.load(file)
        self.client, self.metadata, self.tokens = state["client"], state["metadata"], state["tokens"]

    def down(self):
        self.restore()
        answer = Mcp(self.wire, self.mcp_url).start(self.tokens["access_token"])
        fact(answer.status == 503, "while Redis is away nobody gets in (503)", answer)

    def after(self):
        self.restore()
        answer = self.wire.json("GET", self.client["registration_client_uri"], token=self.client["registration_access_token"])
        fact(answer.status == 200 and answer.json()["client_id"] == self.client["client_id"], "the client is still registered", answer)
        self.can_call(self.tokens["access_token"], "the access token still works")
        answer = self.token(grant_type="refresh_token", refresh_token=self.tokens["refresh_token"])
        fact(answer.status == 200, "the refresh token still works", answer)
        tokens = answer.json()
        self.can_call(tokens["access_token"], "the new access token works")
        answer = self.wire.send("POST", self.metadata["revocation_endpoint"], None,
                                {"token": tokens["refresh_token"], "client_id": self.client["client_id"]})
        fact(answer.status == 200, "the grant is revoked", answer)
        for name, token in (("new", tokens["access_token"]), ("old", self.tokens["access_token"])):
            answer = Mcp(self.wire, self.mcp_url).start(token)
            fact(answer.status == 401, f"the {name} access token is refused on the very next request", answer)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("step", choices=["login", "down", "after"])
    parser.add_argument("--domain", required=True)
    parser.add_argument("--https", type=int, required=True)
    parser.add_argument("--http", type=int, required=True)
    parser.add_argument("--ca", required=True)
    parser.add_argument("--state", required=True)
    options = parser.parse_args()
    try:
        getattr(Flow(options), options.step)()
    except Failed as failure:
        print(f"        stopped at: {failure}")
        return 1
    except Exception as failure:  # whatever an answer of a wrong shape leads to
        traceback.print_exc()
        print(f"  FAIL  {options.step}: {type(failure).__name__}: {failure}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
