#!/usr/bin/env python3
"""Turns Traefik's Docker labels into a dynamic configuration for its file provider, to try labels without Docker.

    labels.py COMPOSE_FILE --set BASE_DOMAIN=gateway.test --service auth=http://127.0.0.1:8000 --service myservice=http://...

Every service with `traefik.enable=true` becomes a load balancer with the address given for it, and its routers lead
there, as with the Docker provider. Where a label names a service as a host (`http://auth:8000`), the address given for it
takes its place; nothing else is changed. The result is JSON, which Traefik reads as YAML.
"""

import argparse
import json
import re

LISTS = {"middlewares", "entrypoints", "authresponseheaders", "authrequestheaders"}


def labels_of(text):
    """Service -> labels, of a compose file that gives them as a list."""
    found, service = {}, None
    for line in text.splitlines():
        if named := re.fullmatch(r"  ([\w-]+):\s*", line):
            service = named[1]
        elif label := re.fullmatch(r"\s+- \"?(traefik\.[^=]+=.*?)\"?\s*", line):
            found.setdefault(service, []).append(label[1])
    return found


def place(tree, path, value):
    """`a.b.c=value` into nested objects; `tls=true` is an object that may get members."""
    *parents, last = path
    for name in parents:
        tree = tree.setdefault(name, {})
        if not isinstance(tree, dict):
            raise SystemExit(f"{'.'.join(path)}: {name} is a value already")
    if last == "tls" and value == "true":
        tree.setdefault(last, {})
    else:
        tree[last] = [part.strip() for part in value.split(",")] if last.lower() in LISTS else value


def dynamic(text, variables, services):
    """The dynamic configuration that these labels make."""
    text = re.sub(r"\$\{(\w+)\}", lambda name: variables[name[1]], text)
    http = {"routers": {}, "services": {}}
    for service, labels in labels_of(text).items():
        if "traefik.enable=true" not in labels:
            continue
        http["services"][service] = {"loadBalancer": {"servers": [{"url": services[service]}]}}
        for label in labels:
            name, value = label.split("=", 1)
            for other, address in services.items():
                value = re.sub(rf"^https?://{other}(:\d+)?(?=/|$)", lambda _, to=address: to, value)
            kind = name.split(".")
            if kind[1] == "http" and kind[2] in ("routers", "middlewares"):
                place(http, kind[2:], value)
                if kind[2] == "routers":
                    http["routers"][kind[3]].setdefault("service", service)
    return {"http": http}


def pair(text):
    name, _, value = text.partition("=")
    return name, value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--set", dest="variables", type=pair, action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--service", dest="services", type=pair, action="append", default=[], metavar="NAME=URL")
    options = parser.parse_args()
    with open(options.file, encoding="utf-8") as file:
        print(json.dumps(dynamic(file.read(), dict(options.variables), dict(options.services)), indent=2))


if __name__ == "__main__":
    main()
