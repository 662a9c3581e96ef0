# One image for every part of the cluster; docker-compose.yml says which part a container is.

FROM debian:bookworm-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends binutils python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/kubonsai
COPY requirements.lock .
# Left out of the image: the schemas of releases that the cluster does not serve (100 MB), debug symbols, pip itself, libraries' own tests.
# (A wheel's *.libs were moved to their place with patchelf: they are not stripped.)
RUN python3 -m venv .venv \
 && .venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --no-deps -r requirements.lock \
 && cd .venv/lib/python3*/site-packages \
 && find kubernetes_validate -type f ! -path '*/v1.37.0-local/_definitions.json' ! -name '*.py' -delete \
 && find kubernetes_validate -type d -empty -delete \
 && find . -name '*.so' ! -path '*.libs/*' -exec strip --strip-unneeded {} + \
 && find . -type d \( -name tests -o -name __pycache__ \) -prune -exec rm -rf {} + \
 && rm -rf pip pip-* setuptools setuptools-* pkg_resources _distutils_hack distutils-precedence.pth
COPY kube kube
COPY control_plane control_plane
COPY node_agent node_agent
COPY netns netns
COPY addons addons
COPY launcher launcher
COPY cmd cmd
COPY examples examples
# Bytecode in the image: containers would compile 400 modules at every start, and most cannot write here. (A library may carry a module
# for another Python, hence no failure.) Readable for all, whatever the checkout's modes are.
RUN .venv/bin/python -m compileall -q -j 0 addons cmd control_plane kube launcher netns node_agent \
 && { .venv/bin/python -m compileall -q -j 0 .venv || true; } \
 && chmod -R a+rX .


FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="kubonsai" \
      org.opencontainers.image.description="A real Kubernetes cluster, grown small"
# policy-rc.d: Debian starts the daemons that it installs; here the cluster does. CNI plugins come with skopeo and are not used.
# kdig is dig, 40 MB lighter.
RUN printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d \
 && printf 'path-exclude=%s\n' '/usr/lib/cni/*' '/usr/share/doc/*' '/usr/share/man/*' '/usr/share/locale/*' '/usr/share/info/*' \
      >/etc/dpkg/dpkg.cfg.d/kubonsai \
 && apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      busybox-static ca-certificates conmon curl etcd-client etcd-server iproute2 iptables \
      knot-dnsutils kubernetes-client nftables procps python3-minimal libpython3-stdlib runc skopeo umoci zstd \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/cache/debconf /var/log/* /var/lib/etcd /usr/sbin/policy-rc.d \
 && ln -s /usr/bin/kdig /usr/local/bin/dig \
 && useradd --system --uid 10001 --user-group --home-dir /nonexistent --shell /usr/sbin/nologin kubonsai
COPY --from=build /opt/kubonsai /opt/kubonsai
RUN ln -s /opt/kubonsai/launcher/compose/kubonsai.sh /usr/local/bin/kubonsai
ENV PATH=/opt/kubonsai/.venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONPATH=/opt/kubonsai \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1
WORKDIR /opt/kubonsai
# Each part writes down where it answers (/readyz, /healthz, /health); curl, since a Python would cost 30 times as much each time.
HEALTHCHECK --interval=5s --timeout=5s --retries=6 --start-period=30s \
    CMD ["curl", "--silent", "--show-error", "--fail", "--output", "/dev/null", "--config", "/run/kubonsai-health.curl"]
ENTRYPOINT ["python", "-m", "launcher.compose"]
