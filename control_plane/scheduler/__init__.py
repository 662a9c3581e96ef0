"""kube-scheduler: queue -> filter -> score -> reserve -> bind, over a node table of numpy columns.

scheduling_queue.py  which Pod is next          cycle.py       one decision, pure      plugins/   one rule per file
node_table.py        Nodes as columns           diagnosis.py   why no Node fits        profile.py the plugins, in order
label_columns.py     labels interned            cache.py       placed and assumed Pods framework.py what a plugin may be
pod_info.py          a Pod, prepared            scheduler.py   the loop and binding    event_handlers.py watch -> queue, cache
pod_counts.py        Pods per Node, by selector changes.py     what may help a Pod     spread_constraints.py of a Pod's spec
workloads.py         Services, controllers      tolerations.py of taints
metrics.py           kube-scheduler's names     config.py      settings                app.py     composition root
"""
