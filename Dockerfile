# Build: Bun comes from npm, pinned, so that this needs no other registry.
FROM node:22-bookworm-slim AS build
WORKDIR /build
COPY package.json bun.lock tsconfig.json ./
COPY src ./src
COPY .github/release ./.github/release
RUN npx --yes bun@1.4.5 run build

# Run: one executable, git with LFS and ssh, as a user without privileges.
FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends git git-lfs openssh-client ca-certificates curl \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --create-home --home-dir /home/hooklatch hooklatch \
 && install -d -o hooklatch -g hooklatch -m 0700 /var/lib/hooklatch \
 && install -d -o hooklatch -g hooklatch -m 0755 /srv/sites
COPY --from=build /build/dist/hooklatch /usr/local/bin/hooklatch
USER hooklatch
WORKDIR /var/lib/hooklatch
ENV HOST=0.0.0.0 PORT=9000 HOOKLATCH_DATA_DIR=/var/lib/hooklatch
VOLUME ["/var/lib/hooklatch", "/srv/sites"]
EXPOSE 9000
# With or without TLS; the certificate's name is not the loopback's.
HEALTHCHECK --interval=30s --timeout=5s \
  CMD curl -fs "http://127.0.0.1:$PORT/healthz" || curl -fsk "https://127.0.0.1:$PORT/healthz" || exit 1
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/hooklatch"]
CMD ["serve"]
