"""Generated from proto/kube/csi/v1 by `./kubonsai proto`."""
