#!/bin/sh
# certificates.sh - the certificates of the tests, good and bad, made by the command openssl.
# SPDX-License-Identifier: MIT
#
# Usage: certificates.sh FOLDER
#
#     ca         whom the tests trust; signs `middle`, which signs the others
#     server     server.test and 127.0.0.1      second    second.test and *.second.test, Ed25519
#     expired    server.test, no longer valid   client    of a client
#     self       server.test, signed by itself
# NAME.pem is the chain without the root, NAME.key the key.
set -eu
cd "$1"
trap 'rm -f ./*.req ./*.srl ./*.ext' EXIT
echo 'basicConstraints=critical,CA:TRUE' >ca.ext

key() { # key NAME ALGORITHM...
    name=$1
    shift
    openssl genpkey -out "$name.key" -algorithm "$@"
}

request() { # request NAME
    openssl req -new -key "$1.key" -subj "/O=Urdume/CN=$1" -out "$1.req"
}

sign() { # sign NAME BY DAYS EXTENSIONS
    openssl x509 -req -in "$1.req" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days "$3" \
        -extfile "$4" -out "$1.pem" 2>/dev/null
}

leaf() { # leaf NAME DAYS ALTERNATIVE-NAMES
    printf 'subjectAltName=%s\n' "$3" >"$1.ext"
    request "$1"
    sign "$1" middle "$2" "$1.ext"
    cat middle.pem >>"$1.pem"
}

for name in ca middle server expired self client; do
    key "$name" EC -pkeyopt ec_paramgen_curve:P-256
done
key second ED25519
request ca
openssl x509 -req -in ca.req -signkey ca.key -days 36500 -extfile ca.ext -out ca.pem 2>/dev/null
request middle
sign middle ca 36500 ca.ext
leaf server 36500 DNS:server.test,IP:127.0.0.1
leaf second 36500 DNS:second.test,DNS:*.second.test
leaf client 36500 DNS:client.test
leaf expired -1 DNS:server.test
request self
printf 'subjectAltName=DNS:server.test\n' >self.ext
openssl x509 -req -in self.req -signkey self.key -days 36500 -extfile self.ext -out self.pem \
    2>/dev/null
