"""The real Traefik with the shipped files on random loopback ports, in front of recorders; for routing.py."""

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
