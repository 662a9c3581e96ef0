"""kube-scheduler: decides on which Node a Pod runs."""

from control_plane.scheduler.app import main

raise SystemExit(main())
