"""Generated gRPC code; the sources are in proto/kube/rpc/v1, `./kubonsai proto` makes it anew."""
