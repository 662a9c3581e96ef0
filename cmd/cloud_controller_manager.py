"""Launcher of cloud-controller-manager."""

from control_plane.cloud.app import main

raise SystemExit(main())
