"""kube-proxy: keeps the rules of one node those of the Services. See node_agent/proxy."""

from node_agent.proxy.app import main

raise SystemExit(main())
