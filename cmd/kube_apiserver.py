"""Starts kube-apiserver."""

from control_plane.apiserver.app import main

raise SystemExit(main())
