import { createPublicKey, type KeyObject, sign } from "node:crypto";

/** Object identifiers in DER, without their tag and length. */
const EXTENSION_REQUEST = Buffer.from("2a864886f70d01090e", "hex"); // 1.2.840.113549.1.9.14
const SUBJECT_ALT_NAME = Buffer.from("551d11", "hex"); // 2.5.29.17
const ECDSA_WITH_SHA256 = Buffer.from("2a8648ce3d040302", "hex"); // 1.2.840.10045.4.3.2

/** DER tags (X.690, section 8). */
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OBJECT_IDENTIFIER = 0x06;
const SEQUENCE = 0x30;
const SET = 0x31;
const ATTRIBUTES = 0xa0; // [0] of CertificationRequestInfo
const DNS_NAME = 0x82; // [2] of GeneralName

/**
 * Creates a certificate signing request in DER (RFC 2986), without a subject: CAs use only the names in
 * subjectAltName (RFC 5280, section 4.2.1.6).
 *
 * @param domains DNS names in ASCII.
 * @param privateKey an EC key on P-256.
 */
export function createSigningRequest(domains: readonly string[], privateKey: KeyObject): Buffer {
  const names = domains.map((domain) => encode(DNS_NAME, Buffer.from(domain, "ascii")));
  const extension = encode(
    SEQUENCE,
    encode(OBJECT_IDENTIFIER, SUBJECT_ALT_NAME),
    encode(OCTET_STRING, encode(SEQUENCE, ...names)),
  );
  const attribute = encode(
    SEQUENCE,
    encode(OBJECT_IDENTIFIER, EXTENSION_REQUEST),
    encode(SET, encode(SEQUENCE, extension)),
  );
  const publicKey = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const info = encode(
    SEQUENCE,
    encode(INTEGER, Buffer.of(0)),
    encode(SEQUENCE),
    publicKey,
    encode(ATTRIBUTES, attribute),
  );
  const signature = sign("sha256", info, privateKey);
  const algorithm = encode(SEQUENCE, encode(OBJECT_IDENTIFIER, ECDSA_WITH_SHA256));
  // The first byte of a bit string is the number of unused bits.
  return encode(SEQUENCE, info, algorithm, encode(BIT_STRING, Buffer.of(0), signature));
}

/** A tag, the length and the content. */
function encode(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.of(tag), encodeLength(content.length), content]);
}

/** A length below 128 is one byte; a longer one follows the number of its bytes. */
function encodeLength(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest >>>= 8) bytes.unshift(rest & 0xff);
  return Buffer.of(0x80 | bytes.length, ...bytes);
}
