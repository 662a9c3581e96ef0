"""Launcher of kube-controller-manager."""

from control_plane.controllers.app import main

raise SystemExit(main())
