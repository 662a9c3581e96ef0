"""kubelet: API Pods of this node -> sandboxes and containers -> status back. docs/kubelet.md draws the flow.

app.py          composition root                    config.py        the process's configuration
pod_workers.py  all Pods, news to them              pod_worker.py    one task per Pod, woken by change
pod_plan.py     what is to be done next, pure       pod_sync.py      does it
pod_start.py    sandbox, network, volumes, images: all at once
pod_fit.py, pod_admission.py   does it fit, may it  static_pods.py, static_manifests.py   Pods out of files, and their mirrors
termination.py  preStop, SIGTERM, grace, SIGKILL    pod_view.py      what is known of a Pod's containers
pod_state.py    one Pod in memory; shared parts     termination_message.py   why a container ended
pod_status.py   phase, pure                         status_manager.py   patched through /status
container_statuses.py, pod_conditions.py   the rest of the status, pure   env_files.py   variables in a file
container_config.py  Container -> runtime's config  environment.py   env, $(VAR), fieldRef, pure
resources.py    QoS, cgroup limits, oom score       pod_files.py     /etc/hosts, resolv.conf, hostname
allocation.py   what each Pod was promised          resize.py        cgroups follow it
resource_status.py   what the status says of it     qos_groups.py    groups between the node's and the Pods'
security.py     security contexts                   sysctls.py       which a Pod may set
runtime_classes.py   handlers, features             host_ports.py    ports of the node that lead to Pods
image_manager.py   Pulled, ErrImagePull, back-off   backoff.py       CrashLoopBackOff and the like
pull_secrets.py    credentials for registries       image_volumes.py volumes that are images
image_gc.py     images that nobody needs
lifecycle.py    postStart, preStop                  housekeeping.py  what no Pod owns any more
node_status.py  the Node's status, pure             node_reporter.py registration, heartbeat, Lease
network.py, network_addresses.py  Pod network       objects.py       ConfigMaps and Secrets that Pods name
container_logs.py  kubectl logs                     log_rotation.py  keeps them small
log_links.py    /var/log/containers                 log_files.py     /logs/ on 10250
node_service.py, streams.py, pod_dial.py, https_server.py  what others ask of a kubelet
bootstrap.py    how a machine gets its certificates   certificate_files.py  those on disk
stats/          what is used, when asked           eviction/        when the node runs short
configz.py      the configuration, as upstream names it
seams.py        Protocols that the kubelet owns     event_names.py   reasons, references to containers
"""
