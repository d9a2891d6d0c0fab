# The image with git only, or the one that also has Node for build commands such as "npm ci":
#   docker build -t hooklatch .
#   docker build -t hooklatch:node --target node .

# Build: Bun comes from npm, pinned, so that this needs no other registry.
FROM node:22.20.0-bookworm-slim AS build
WORKDIR /build
COPY package.json bun.lock tsconfig.json ./
COPY src ./src
COPY .github/release ./.github/release
RUN npx --yes bun@1.4.5 run build

# Run: one executable, git with LFS and ssh, as a user without privileges.
FROM debian:12.12-slim AS slim
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

# The same, with Node and npm.
FROM slim AS node
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=build /usr/local/lib/node_modules/npm /usr/local/lib/node_modules/npm
USER root
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
 && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
USER hooklatch

FROM slim
