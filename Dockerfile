# Platen's images: agent, hub, simulator. Each is one static program, without a shell or a libc.
#
#   docker build --target agent -t platen-agent .
#
# Without a Docker engine: scripts/image, which hands in programs that were built beside it
# (--build-arg BINARIES=IMAGE) in place of the first stage. How to run them safely:
# docs/howto/containers.md.
ARG BINARIES=compile

FROM docker.io/library/rust:1.95-bookworm AS compile
RUN apt-get update && apt-get install -y --no-install-recommends cmake make lld
WORKDIR /platen
COPY . .
RUN scripts/image binaries /out

FROM ${BINARIES} AS binaries

# No configuration is in the image: an agent that was told no range contacts nobody. The state
# folder is handed to the user here, because a new volume takes its owner and mode from it.
FROM scratch AS agent
LABEL org.opencontainers.image.title="Platen agent" \
      org.opencontainers.image.description="Reads a site's printers and reports to a Platen hub" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=binaries /out/root/ /
COPY --from=binaries --chown=65532:65532 /out/agent-state/ /var/lib/
COPY --from=binaries /out/platen /platen
USER 65532:65532
VOLUME /var/lib/platen
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 CMD ["/platen", "health"]
ENTRYPOINT ["/platen"]
CMD ["run"]

FROM scratch AS hub
LABEL org.opencontainers.image.title="Platen hub" \
      org.opencontainers.image.description="Keeps what Platen agents report, and shows it" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=binaries /out/root/ /
COPY --from=binaries --chown=65532:65532 /out/hub-state/ /var/lib/
COPY --from=binaries /out/platen-hub /platen-hub
USER 65532:65532
VOLUME /var/lib/platen-hub
EXPOSE 22 443 8883
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 CMD ["/platen-hub", "health"]
ENTRYPOINT ["/platen-hub"]
CMD ["serve"]

# Its printers are on loopback addresses: it is of use in the agent's own network only.
FROM scratch AS simulator
LABEL org.opencontainers.image.title="Platen simulator" \
      org.opencontainers.image.description="Plays a fleet of printers on loopback addresses" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=binaries /out/fleets /usr/share/platen/fleets
COPY --from=binaries /out/recordings /usr/share/platen/recordings
COPY --from=binaries /out/platen-sim /platen-sim
USER 65532:65532
ENTRYPOINT ["/platen-sim"]
CMD ["run", "--fleet", "/usr/share/platen/fleets/demo.toml"]
