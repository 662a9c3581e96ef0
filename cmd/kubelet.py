"""kubelet, one per node: `python cmd/kubelet.py --config FILE`."""

from node_agent.kubelet.app import main

raise SystemExit(main())
