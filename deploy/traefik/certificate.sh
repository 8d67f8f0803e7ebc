#!/bin/sh
# Makes the certificate that is served while ACME_EMAIL is unset: for BASE_DOMAIN and every host one label below it,
# signed by a CA that is made for it, limited to that domain, and whose key is thrown away. Trusting ca.crt therefore
# trusts nothing but this certificate. One that is good for another 30 days is kept.
#
#   BASE_DOMAIN       required
#   CERTIFICATE_DIR   where ca.crt, tls.crt and tls.key go   (/certificates)
set -eu

[ -z "${ACME_EMAIL:-}" ] || { echo "ACME_EMAIL is set: certificates come from Let's Encrypt"; exit 0; }
: "${BASE_DOMAIN:?set BASE_DOMAIN, e.g. example.com}"
directory="${CERTIFICATE_DIR:-/certificates}"

if openssl x509 -in "$directory/tls.crt" -noout -checkend 2592000 >/dev/null 2>&1 &&
    openssl x509 -in "$directory/tls.crt" -noout -checkhost "auth.$BASE_DOMAIN" | grep -q "does match"; then
    echo "keeping the certificate for $BASE_DOMAIN"
    exit 0
fi

umask 077
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cat >"$work/ca.cnf" <<CA
[req]
distinguished_name = name
prompt = no
x509_extensions = ca
[name]
CN = MCP OAuth Gateway at $BASE_DOMAIN
[ca]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign
nameConstraints = critical, permitted;DNS:$BASE_DOMAIN
subjectKeyIdentifier = hash
CA
cat >"$work/tls.cnf" <<LEAF
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = DNS:$BASE_DOMAIN, DNS:*.$BASE_DOMAIN, DNS:auth.$BASE_DOMAIN, DNS:echo.$BASE_DOMAIN
LEAF
openssl ecparam -name prime256v1 -genkey -noout -out "$work/ca.key"
openssl ecparam -name prime256v1 -genkey -noout -out "$work/tls.key"
openssl req -x509 -new -sha256 -days 397 -key "$work/ca.key" -config "$work/ca.cnf" -out "$work/ca.crt"
openssl req -new -sha256 -key "$work/tls.key" -config "$work/ca.cnf" -subj "/CN=gateway" -out "$work/tls.csr"
openssl x509 -req -sha256 -days 397 -in "$work/tls.csr" -CA "$work/ca.crt" -CAkey "$work/ca.key" \
    -set_serial "0x$(openssl rand -hex 16)" -extfile "$work/tls.cnf" -out "$work/tls.crt" 2>/dev/null
chmod 644 "$work/ca.crt" "$work/tls.crt"
mkdir -p "$directory"
mv -f "$work/ca.crt" "$work/tls.crt" "$work/tls.key" "$directory/"
chmod 755 "$directory"
echo "made a certificate for $BASE_DOMAIN and *.$BASE_DOMAIN"
