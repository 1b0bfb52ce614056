# The update server in a container (docs/operation.md, "In containers"). Settings by environment, data in /data.
FROM node:20-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund
COPY tsconfig.json ./
COPY scripts/run.mjs ./scripts/run.mjs
COPY src/protocol ./src/protocol
COPY server ./server
RUN node scripts/run.mjs --bundle server/main.ts

FROM node:20-slim
# pg_dump and pg_restore for the commands backup and restore; they must not be older than the database.
RUN apt-get update \
	&& apt-get install -y --no-install-recommends postgresql-client \
	&& rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY --from=packages /app/build/programs ./build/programs
RUN mkdir /data && chown node:node /data && chmod 700 /data
USER node
ENV NODE_ENV=production FOTA_DATA=/data HOST=0.0.0.0 PORT=8080
VOLUME /data
EXPOSE 8080
# Alive, not ready: a restart would not bring a database back. The certificate is not of this address, nor asked for it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
	CMD ["node", "-e", "const { FOTA_TLS_CERT, PORT: port } = process.env; require(FOTA_TLS_CERT ? 'https' : 'http').get({ host: '127.0.0.1', port, path: '/health', rejectUnauthorized: false }, (answer) => process.exit(answer.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
# No npm in between: signals must reach the server.
ENTRYPOINT ["node", "--enable-source-maps", "build/programs/server-main.mjs"]
