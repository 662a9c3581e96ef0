"""`up`: from nothing, or from what is left, to a Ready cluster. Every step is idempotent, so that a second `up` repairs."""

from __future__ import annotations

import asyncio

from launcher.cluster.layout import Layout
from launcher.cluster.progress import Progress
from launcher.cluster.provider import ReadyCluster
from launcher.cluster.state import save_settings
from launcher.cluster.zygote_start import API_HOST, ensure_zygote

LOOK = ("ip netns list", "every node and Pod; ip netns exec NAME curl http://hello.default.svc.cluster.local")


def up(layout: Layout, progress: Progress) -> ReadyCluster:
    """Brings the cluster up, or what is missing of it. The caller holds the cluster's lock. Raises UpFailed, NotReady, ConfigError.

    What it imports, it imports where it must wait for others anyway.
    """
    created = not layout.settings_file.exists()
    with progress.step("preparing certificates, machines and the fabric"):
        save_settings(layout)
        server = f"https://{API_HOST}:{ensure_zygote(layout)}"
        from launcher.cluster.growth import Growth

        growth = Growth(layout, server)
        growth.start_processes()
        growth.write_kubeconfigs()
    from launcher.cluster.readiness import make_ready

    asyncio.run(make_ready(layout, server, growth.pki.admin, growth.nodes, progress))
    return ReadyCluster(
        name=layout.name, server=server, created=created, context=layout.settings.context, kubeconfig=growth.merge_kubeconfig(), look=LOOK)
