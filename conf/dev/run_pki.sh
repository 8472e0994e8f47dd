# Copyright (C) FOTA Edge
# SPDX-License-Identifier: Apache-2.0
#
# Development certificates, sourced by run.sh: a CA, and leaf certificates of
# the centre, the nodes (clients of the centre; the common name is the node's
# name), the edges' servers and one device.  EC P-256.

pki_key()
{
    (umask 077; openssl genpkey -quiet -algorithm EC \
        -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null) \
        || (umask 077; openssl ecparam -name prime256v1 -genkey -noout \
            -out "$1")
}

pki_ca()
{
    [ -s "$PKI/ca.pem" ] && return 0

    pki_key "$PKI/ca.key"
    openssl req -x509 -new -key "$PKI/ca.key" -sha256 -days 3650 \
        -subj "/O=FOTA development/CN=FOTA development CA" \
        -addext "basicConstraints=critical,CA:TRUE" \
        -addext "keyUsage=critical,keyCertSign,cRLSign" \
        -out "$PKI/ca.pem.new"
    mv "$PKI/ca.pem.new" "$PKI/ca.pem"
}

# pki_leaf FILE CN server|client [SAN]
pki_leaf()
{
    [ -s "$PKI/$1.pem" ] && return 0

    pki_key "$PKI/$1.key"
    cat > "$PKI/$1.ext" <<END
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=${3}Auth
subjectAltName=${4:-DNS:$2}
END
    openssl req -new -key "$PKI/$1.key" -subj "/O=FOTA development/CN=$2" \
        -out "$PKI/$1.csr"
    openssl x509 -req -in "$PKI/$1.csr" -CA "$PKI/ca.pem" \
        -CAkey "$PKI/ca.key" -set_serial "0x$(openssl rand -hex 16)" \
        -sha256 -days 825 -extfile "$PKI/$1.ext" \
        -out "$PKI/$1.pem.new" 2>/dev/null
    mv "$PKI/$1.pem.new" "$PKI/$1.pem"
    rm -f "$PKI/$1.csr" "$PKI/$1.ext"
}

pki_all()
{
    PKI=$RUN/pki
    mkdir -p "$PKI"
    chmod 700 "$PKI"

    local_names="DNS:localhost,IP:127.0.0.1,IP:::1"

    pki_ca
    pki_leaf centre localhost server "$local_names"

    for edge_name in $EDGES; do
        pki_leaf "node-$edge_name" "$edge_name" client
        pki_leaf "edge-$edge_name" "$edge_name" server \
            "DNS:$edge_name,$local_names"
    done

    pki_leaf device cam-mtls-0001 client
}
