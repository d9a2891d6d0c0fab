import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** The paths of a certificate and its private key. */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

/** Makes a self-signed certificate for localhost that is valid for a month. */
export function makeCertificate(directory: string, name: string): CertificatePair {
  const pair = pathsOf(directory, name);
  openssl(directory, [
    "req",
    "-x509",
    "-days",
    "30",
    ...NEW_KEY,
    "-keyout",
    pair.key,
    "-out",
    pair.cert,
    ...NAMES,
  ]);
  return pair;
}

/** Makes a certificate that expired in 2020. Only `openssl ca` accepts arbitrary dates. */
export function makeExpiredCertificate(directory: string, name: string): CertificatePair {
  const pair = pathsOf(directory, name);
  const request = join(directory, `${name}.csr`);
  writeFileSync(join(directory, "index.txt"), "");
  writeFileSync(
    join(directory, "ca.cnf"),
    "[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\nnew_certs_dir = .\nrand_serial = yes\ndefault_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n",
  );
  openssl(directory, ["req", "-new", ...NEW_KEY, "-keyout", pair.key, "-out", request, ...NAMES]);
  const dates = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"];
  const files = ["-keyfile", pair.key, "-in", request, "-out", pair.cert];
  openssl(directory, ["ca", "-batch", "-selfsign", "-notext", "-config", "ca.cnf", ...dates, ...files]);
  return pair;
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
const NAMES = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];

function pathsOf(directory: string, name: string): CertificatePair {
  return { cert: join(directory, `${name}-cert.pem`), key: join(directory, `${name}-key.pem`) };
}

function openssl(directory: string, args: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["openssl", ...args], { cwd: directory });
  if (exitCode !== 0) throw new Error(`openssl ${args[0]}: ${stderr.toString()}`);
}
