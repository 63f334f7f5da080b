"""Certificates for a cluster that lives for one test: a CA, one for the servers, one for clients.

The server's carries serverAuth and clientAuth, because etcd's JSON gateway presents it to itself. The
client's subject has no common name, because etcd refuses the gateway to clients that have one as
soon as users and passwords are on.
"""
import collections
import os
import subprocess
import time

Tls = collections.namedtuple("Tls", "directory ca ca_key server server_key client client_key")

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"]


def _openssl(*args, stdin=None):
    done = subprocess.run(["openssl", *args], input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=30, text=True)
    if done.returncode != 0:
        raise RuntimeError("openssl %s: %s" % (args[0], done.stderr.strip()))
    return done.stdout


def authority(directory, name="ca"):
    """(certificate, key) of a new CA."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    cert, key = (os.path.join(directory, name + ext) for ext in (".crt", ".key"))
    _openssl("req", "-x509", *KEY, "-subj", "/CN=onced test authority", "-keyout", key, "-out", cert,
             "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    return cert, key


def issue(directory, name, subject, ca, ca_key, usage, addresses=()):
    """(certificate, key) signed by the CA."""
    cert, key, conf = (os.path.join(directory, name + ext) for ext in (".crt", ".key", ".ext"))
    request = _openssl("req", "-new", *KEY[:-2], "-subj", subject, "-keyout", key)
    names = ["DNS:localhost"] + ["IP:" + a for a in sorted(set(addresses) | {"127.0.0.1"})]
    with open(conf, "w") as out:
        out.write("basicConstraints=CA:FALSE\nextendedKeyUsage=%s\n" % usage)
        if addresses:
            out.write("subjectAltName=%s\n" % ",".join(names))
    _openssl("x509", "-req", "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "30",
             "-extfile", conf, "-out", cert, stdin=request)
    return cert, key


DATES = "[ca]\ndefault_ca=it\n[it]\npolicy=any\nrand_serial=yes\nunique_subject=no\n" \
        "database=%(index)s\nnew_certs_dir=%(directory)s\ndefault_md=sha256\n[any]\ncommonName=optional\n" \
        "organizationName=optional\n[ext]\n%(extensions)s\n"


def odd(directory, name, extensions, signer=None, days=(-1, 30), subject="/O=odd"):
    """(certificate, key) with just these extensions, good from one day to the other, both counted from now;
    signer: (certificate, key) of who signs it, None: it signs itself."""
    cert, key, conf, index = (os.path.join(directory, name + ext) for ext in (".crt", ".key", ".cnf", ".idx"))
    request, moments = os.path.join(directory, name + ".csr"), []
    for day in days:
        moments.append(time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + 86400 * day)))
    _openssl("req", "-new", *KEY[:-2], "-subj", subject, "-keyout", key, "-out", request)
    with open(index, "w"):
        pass
    with open(conf, "w") as out:
        out.write(DATES % {"index": index, "directory": directory, "extensions": "\n".join(extensions)})
    by = ["-cert", signer[0], "-keyfile", signer[1]] if signer else ["-selfsign", "-keyfile", key]
    _openssl("ca", "-batch", "-notext", "-config", conf, "-extensions", "ext", *by, "-in", request,
             "-startdate", moments[0], "-enddate", moments[1], "-out", cert)
    return cert, key


def make(directory, addresses):
    """A full set; what exists already is used again."""
    names = ("ca", "server", "client")
    paths = [os.path.join(directory, n + ext) for n in names for ext in (".crt", ".key")]
    if not all(os.path.exists(p) for p in paths):
        ca, ca_key = authority(directory)
        issue(directory, "server", "/CN=etcd", ca, ca_key, "serverAuth,clientAuth", addresses)
        issue(directory, "client", "/O=onced", ca, ca_key, "clientAuth")
    return Tls(directory, *paths)
