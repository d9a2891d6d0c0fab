/** The baseline: a minimal server that checks the HMAC, parses the JSON and stores nothing. */
const secret = process.env.SECRET ?? "";
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request) {
    const body = await request.bytes();
    const shown = request.headers.get("x-hub-signature-256");
    if (shown !== `sha256=${new Bun.CryptoHasher("sha256", secret).update(body).digest("hex")}`) {
      return Response.json({ status: "signature verification failed" }, { status: 401 });
    }
    JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
    return Response.json({ status: "ok" });
  },
});
process.stdout.write(`${server.url.href}\n`);
