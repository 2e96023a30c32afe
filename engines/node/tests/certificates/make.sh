#!/bin/sh
# Makes the certificates of this folder: for tests only, valid from 2020 to 2120, their keys known to everybody.
# `cluster` is a cluster's folder, `stranger` that of another authority, `misnamed` has the cluster's authority and
# another name.
set -eu
cd "$(dirname "$0")"
curve='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'

# authority FOLDER
authority() {
    mkdir -p "$1"
    # shellcheck disable=SC2086 # several words
    openssl req -x509 $curve -days 36500 -subj "/CN=bench test $1" -addext keyUsage=critical,keyCertSign \
        -keyout "$1.key.tmp" -out "$1/authority.pem"
}

# certificate FOLDER AUTHORITY NAME
certificate() {
    mkdir -p "$1"
    # shellcheck disable=SC2086 # several words
    openssl req $curve -subj "/CN=$3" -keyout "$1/key.pem" -out request.tmp
    : >index.tmp
    cat >ca.tmp <<END
[ca]
default_ca = here
[here]
database = index.tmp
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = node
[any]
commonName = supplied
[node]
subjectAltName = DNS:$3
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth,clientAuth
END
    openssl ca -batch -notext -config ca.tmp -cert "$2/authority.pem" -keyfile "$2.key.tmp" -in request.tmp \
        -startdate 20200101000000Z -enddate 21200101000000Z -out "$1/certificate.pem"
    [ "$1" = "$2" ] || cp "$2/authority.pem" "$1/authority.pem"
}

authority cluster
authority stranger
certificate cluster cluster bench-node
certificate stranger stranger bench-node
certificate misnamed cluster somebody-else
find . -maxdepth 1 -type f ! -name make.sh -delete
