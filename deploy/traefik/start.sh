#!/bin/sh
# Starts Traefik with traefik.yml, adding what its static configuration cannot take from the environment.
#
#   BASE_DOMAIN       required; the routes read it
#   ACME_EMAIL        set: certificates from Let's Encrypt (TLS-ALPN challenge on port 443)
#   ACME_CA_SERVER    another ACME directory, e.g. Let's Encrypt's staging one
#   HTTP_ADDRESS, HTTPS_ADDRESS, PING_ADDRESS   default :80, :443, 127.0.0.1:8082
#   CONFIG_DIR        where traefik.yml and dynamic/ lie   (/etc/traefik)
#   RUN_DIR           a writable directory                 (/run/traefik)
#   ACME_DIR          where the certificates are kept      (/acme)
set -eu

: "${BASE_DOMAIN:?set BASE_DOMAIN, e.g. example.com}"
config="${CONFIG_DIR:-/etc/traefik}"
run="${RUN_DIR:-/run/traefik}"
mkdir -p "$run"

sed -e "s|\":80\"|\"${HTTP_ADDRESS:-:80}\"|" \
    -e "s|\":443\"|\"${HTTPS_ADDRESS:-:443}\"|" \
    -e "s|\"127.0.0.1:8082\"|\"${PING_ADDRESS:-127.0.0.1:8082}\"|" \
    -e "s|directory: /etc/traefik/dynamic|directory: $config/dynamic|" \
    "$config/traefik.yml" >"$run/traefik.yml"

if [ -n "${ACME_EMAIL:-}" ]; then
    cat >>"$run/traefik.yml" <<ACME

certificatesResolvers:
  letsencrypt:
    acme:
      email: "$ACME_EMAIL"
      storage: "${ACME_DIR:-/acme}/acme.json"
      caServer: "${ACME_CA_SERVER:-https://acme-v02.api.letsencrypt.org/directory}"
      tlsChallenge: {}
ACME
fi

exec traefik --configFile="$run/traefik.yml"
