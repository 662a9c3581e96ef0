"""Sandboxes, images and containers, by conmon and runc; knows no API object. docs/adr/0003-runtime.md says why so.

model.py       what goes in and out: configs, records, exec
pod_runtime.py the face: ties the parts together       sandbox.py     namespaces of a Pod, pinned by bind mounts
containers.py  one container's life                    records.py     its small JSON on disk, found again after a crash
conmon.py      one start of conmon, its sync pipe      exits.py       inotify and pidfd: who ended, and how
spec.py        the OCI config.json, pure               processes.py   spawn, pidfd, start times
execs.py       exec, with and without a terminal       attach.py      conmon's attach socket
logs.py        CRI log files: read, follow, rotate     cgroups.py     v1, hybrid and v2
images.py      the store                               builtin.py     images made on the spot (builtin_layers.py: of what)
references.py  names of images                         platforms.py   os/architecture[/variant]
image_load.py  an archive into the store               image_archive.py  tar files, streams, directories
image_manifest.py  what an archive holds               image_config.py   an image's configuration file
layer_store.py layers, unpacked once                   unpack_layer.py   one tar, in a process of its own
image_catalog.py   names of what is there           image_pulls.py   what was pulled with whose Secret
node_images.py what one node does with the store       image_uses.py    what each node needs kept
image_scratch.py   where loads and pulls work          image_removal.py what goes, and how
registry/      the client that pulls
user_namespaces.py, idmaps.py   Pods with users of their own
seccomp.py     the default profile, as data            devices.py     disks in containers
layers.py      overlay mounts, hard-linked trees       syscalls.py    mount, unshare, inotify by ctypes
mounts.py      what is mounted, binding, unmounting    watches.py     folders, by inotify
safe_paths.py  paths that containers or images can change under our eyes
"""
