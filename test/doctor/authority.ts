import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A root CA, an intermediate CA and the certificates that it issues, as a sender has to verify them. */
export class Authority {
  readonly #directory: string;

  /** `days` is the lifetime of the intermediate CA. */
  constructor(directory: string, days = 365) {
    this.#directory = directory;
    this.#openssl("req", "-x509", "-days", "365", ...this.#newKey("root"), "-out", this.#path("root.pem"));
    this.#issue("intermediate", "basicConstraints=critical,CA:TRUE", "root", days);
  }

  /** Writes certificates into one file, in the given order, and returns its path. */
  bundle(file: string, names: readonly string[]): string {
    writeFileSync(
      this.#path(file),
      names.map((name) => readFileSync(this.#path(`${name}.pem`), "utf8")).join(""),
    );
    return this.#path(file);
  }

  /** Issues `<name>.pem` for alternative names such as `DNS:example.com`, and returns the path of its key. */
  certify(name: string, names: string, days = 60): string {
    this.#issue(name, `subjectAltName=${names}`, "intermediate", days);
    return this.#path(`${name}.key`);
  }

  #issue(name: string, extension: string, issuer: string, days: number): void {
    const [request, extensions] = [this.#path(`${name}.csr`), this.#path(`${name}.ext`)];
    writeFileSync(extensions, `${extension}\n`);
    this.#openssl("req", "-new", ...this.#newKey(name), "-out", request);
    const signer = [
      "-CA",
      this.#path(`${issuer}.pem`),
      "-CAkey",
      this.#path(`${issuer}.key`),
      "-CAcreateserial",
    ];
    const files = ["-in", request, "-extfile", extensions, "-out", this.#path(`${name}.pem`)];
    this.#openssl("x509", "-req", "-days", String(days), ...signer, ...files);
  }

  #newKey(name: string): readonly string[] {
    const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    return [...kind, "-keyout", this.#path(`${name}.key`), "-subj", `/O=Tests/CN=${name}`];
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }

  #openssl(...args: readonly string[]): void {
    const { exitCode, stderr } = Bun.spawnSync(["openssl", ...args], { cwd: this.#directory });
    if (exitCode !== 0) throw new Error(`openssl ${args[0]}: ${stderr.toString()}`);
  }
}
